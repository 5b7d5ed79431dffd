// Details of one interaction: who is there, what is attached, notes, what the customer did before.

import { $, ask, el, field, toast } from './dom.js';

export class Panel {
  #client;
  #model;
  #past = new Map();

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
    panel.replaceChildren(this.#people(session), this.#data(session), this.#notes(session), this.#earlier(session));
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

  /** Earlier interactions of the contact. Asked for once; the conversation never waits for it. */
  #earlier({ id, interaction }) {
    const contact = interaction.userData.find(({ key }) => key === 'ContactId')?.value ?? '';
    const known = this.#past.get(id);
    if (!known || known.contact !== contact) {
      this.#past.set(id, { contact, entries: [], next: null, said: 'Looking …' });
      this.#look(id);
    }
    const { entries, next, said } = this.#past.get(id);
    const rows = entries.map(({ startDate, mediaType, state, subject, comment, disposition }) => el('li', {},
      el('span', {}, `${startDate ? new Date(startDate).toLocaleString() : ''} ${mediaType ?? ''} `),
      el('span.faint', {}, [state, disposition].filter(Boolean).join(' · ')),
      el('div', {}, [subject, comment].filter(Boolean).join(' · '))));
    return el('section', { id: 'earlier' }, el('h2', {}, 'Earlier'), el('ul.list', {}, ...rows),
      said && el('p.faint', {}, said),
      (next || said?.startsWith('Not')) && el('button', { type: 'button', onclick: () => this.#look(id) }, next ? 'More' : 'Try again'));
  }

  async #look(id) {
    const past = this.#past.get(id);
    try {
      const cursor = past.next ? `&cursor=${encodeURIComponent(past.next)}` : '';
      const page = await this.#client.call('GET', `/nexus/v3/agents/me/interactions/${id}/history?limit=20${cursor}`);
      past.entries = [...past.entries, ...page.interactions];
      past.next = page.next ?? null;
      past.said = past.entries.length ? '' : 'Nothing is known.';
    } catch {
      past.said = 'Not to be had now.';
    }
    if (this.#past.size > 50) this.#past.delete(this.#past.keys().next().value);
    if (id === this.#model.selected) this.update();
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
