// Details of one interaction: who is there, what is attached, notes.

import { $, ask, el, field, toast } from './dom.js';

export class Panel {
  #client;
  #model;

  constructor(client, model) {
    this.#client = client;
    this.#model = model;
  }

  update() {
    const session = this.#model.sessions.get(this.#model.selected);
    const panel = $('panel');
    if (!session?.interaction) return panel.replaceChildren();
    // What somebody is writing here is not taken from under their hands.
    if (panel.contains(document.activeElement) && document.activeElement.matches('input, textarea')) return;
    panel.replaceChildren(this.#people(session), this.#data(session), this.#notes(session));
  }

  #people({ id, interaction }) {
    const may = interaction.capabilities.includes('remove-from-conference');
    return el('section', {}, el('h2', {}, 'Participants'), el('ul.list', {}, ...interaction.chat.participants.map((one) =>
      el('li.row', {}, `${one.nickname || one.type} `, el('span.faint', {}, one.type),
        may && one.type === 'Agent' && one.participantId !== interaction.participantId && el('button', {
          type: 'button', onclick: () => this.#do(id, 'remove-from-conference', { participantId: one.participantId }),
        }, 'Remove')))));
  }

  #data({ id, interaction }) {
    const may = interaction.capabilities.includes('attach-user-data');
    const rows = interaction.userData.flatMap(({ key, type, value }) => [
      el('dt', {}, key),
      el('dd', {}, type === 'kvlist' ? JSON.stringify(value) : String(value)),
      may ? el('button', { type: 'button', ariaLabel: `Delete ${key}`, onclick: () => this.#do(id, 'delete-user-data', { userData: [{ key }] }) }, '×') : el('span'),
    ]);
    const add = async () => {
      const answer = await ask('Attach data', [
        field('Name', el('input', { name: 'key', required: true, maxLength: 255 })),
        field('Value', el('input', { name: 'value', required: true }))], 'Attach');
      if (answer) await this.#do(id, 'attach-user-data', { userData: [{ key: answer.get('key'), type: 'str', value: answer.get('value') }] });
    };
    return el('section', {}, el('h2', {}, 'User data'), el('dl.data', {}, ...rows),
      may && el('button', { type: 'button', onclick: add }, 'Attach …'));
  }

  #notes({ id, interaction }) {
    if (!interaction.capabilities.includes('set-comment')) {
      return el('section', {}, el('h2', {}, 'Note'), el('p', {}, interaction.comment ?? ''));
    }
    const comment = el('textarea', { name: 'comment', value: interaction.comment ?? '' });
    const disposition = el('input', { name: 'disposition', value: interaction.disposition ?? '' });
    return el('section', {}, el('h2', {}, 'Note'), el('form', {
      className: 'sheet',
      onsubmit: async (event) => {
        event.preventDefault();
        document.activeElement.blur();
        const fields = { comment: comment.value };
        if (disposition.value.trim()) fields.disposition = disposition.value.trim();
        if (await this.#do(id, 'set-comment', fields)) toast('Saved');
      },
    }, field('Comment', comment), field('Disposition', disposition), el('button', { type: 'submit' }, 'Save')));
  }

  async #do(session, cmd, fields) {
    try {
      await this.#client.command(cmd, { session, ...fields });
      return true;
    } catch (error) {
      toast(error.message, true);
      return false;
    }
  }
}
