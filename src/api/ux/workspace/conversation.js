// The conversation in the middle: messages, who types, composing, and the commands of one interaction.

import { $, ask, clock, el, field, toast } from './dom.js';

const TYPING_EVERY_MS = 3000;
const TARGETS = { transfer: 'Transfer to', consult: 'Consult with', invite: 'Invite' };
const SPEAKING = new Set(['Processing', 'Consulting', 'Monitoring']);

export class Conversation {
  #client;
  #model;
  #id = null;
  #shown = 0;
  #files = new Map();
  #drafts = new Map();
  #typedAt = 0;

  constructor(client, model) {
    this.#client = client;
    this.#model = model;
  }

  /** Draws what changed. */
  update(id, force = false) {
    const session = this.#model.sessions.get(this.#model.selected);
    if (!session?.interaction) return this.#nothing();
    if (this.#id !== session.id) return this.#open(session);
    if (id === session.id || force) this.#refresh(session);
  }

  #nothing() {
    this.#id = null;
    $('main').replaceChildren(el('p.faint.center', { id: 'nothing' }, 'Choose an interaction.'));
  }

  #open(session) {
    this.#id = session.id;
    this.#shown = 0;
    const log = el('ol.log', { id: 'log', tabIndex: 0 });
    log.setAttribute('role', 'log');
    log.setAttribute('aria-label', 'Messages');
    $('main').replaceChildren(
      el('div.bar', { id: 'bar' }), log, el('div.typing', { id: 'typing' }), this.#compose(session));
    this.#refresh(session);
    $('text')?.focus();
  }

  #refresh(session) {
    this.#bar(session);
    const log = $('log');
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    const first = session.messages[0]?.index ?? 0;
    if (this.#shown > session.messages.length || log.dataset.first !== String(first)) {
      log.replaceChildren(...(session.complete || first <= 2 ? [] : [this.#older(session)]));
      this.#shown = 0;
      log.dataset.first = String(first);
    }
    for (const message of session.messages.slice(this.#shown)) log.append(this.#message(session, message));
    this.#shown = session.messages.length;
    if (atEnd) log.scrollTop = log.scrollHeight;
    const typing = [...session.typing.values()].map(({ from, text }) => `${from.nickname} is typing${text ? `: ${text}` : ' …'}`);
    $('typing').textContent = typing.join(' · ');
    const can = SPEAKING.has(session.interaction.state);
    for (const control of $('compose').elements) control.disabled = !can;
  }

  #bar(session) {
    const { interaction } = session;
    const may = (name) => interaction.capabilities.includes(name);
    const button = (name, label, act, kind = '') =>
      may(name) && el(`button${kind}`, { type: 'button', onclick: act }, label);
    const say = (cmd, fields) => () => this.#do(cmd, fields);
    $('bar').replaceChildren(
      el('h1', {}, customer(interaction)),
      el('span.faint', {}, `${interaction.mediatype} · ${interaction.supervision ?? interaction.state}`),
      ...[
        subject(interaction) && el('strong', { id: 'subject' }, subject(interaction)),
        button('accept', 'Accept', say('accept'), '.primary'),
        button('reject', 'Reject', say('reject')),
        ...Object.keys(TARGETS).map((cmd) => button(cmd, label(cmd), () => this.#target(cmd))),
        button('cancel-consult', 'Take back', say('cancel-consult')),
        button('place-in-queue', 'To queue', () => this.#target('place-in-queue')),
        button('switch-to-monitor', 'Listen', say('switch-to-monitor')),
        button('switch-to-coach', 'Coach', say('switch-to-coach')),
        button('switch-to-barge-in', 'Barge in', say('switch-to-barge-in')),
        button('stop-monitoring', 'Stop', say('stop-monitoring')),
        button('leave', 'Leave', say('leave', { afterAction: 'CloseIfNoAgents' })),
        button('complete', 'Complete', say('complete'), '.danger'),
        el('button', { type: 'button', onclick: () => this.#search(session) }, 'Search'),
      ].filter(Boolean));
  }

  #message(session, message) {
    const { type, text, from, visibility, timestamp, file, erased, index, delivery } = message;
    const mine = from && from.participantId === session.interaction.participantId;
    if (delivery) return el('li.msg.event', {}, `${delivery.status}${delivery.detail ? `: ${delivery.detail}` : ''} · ${clock(timestamp)}`);
    const event = { ParticipantJoined: 'joined', ParticipantLeft: 'left' }[type];
    if (event) return el('li.msg.event', {}, `${from?.nickname ?? 'Somebody'} ${event} · ${clock(timestamp)}`);
    const whisper = visibility !== 'All';
    const who = el('span.who', {}, `${from?.nickname ?? 'Service'} · ${clock(timestamp)}${whisper ? ` · ${visibility}s only` : ''}`);
    const item = el('li.msg', { id: `m${index}` }, who);
    if (mine) item.classList.add('mine');
    if (whisper) item.classList.add('whisper');
    if (erased) item.append(el('em', {}, 'erased'));
    else if (file) item.append(this.#file(session, file));
    else if (type === 'PushUrl') item.append(el('a', { href: text, rel: 'noopener noreferrer', target: '_blank' }, text));
    else item.append(text ?? '');
    return item;
  }

  #file(session, { mediaId, name, mime, length }) {
    const load = async () => {
      if (!this.#files.has(mediaId)) {
        const answer = await this.#client.fetch('GET', `/nexus/v3/agents/me/interactions/${session.id}/files/${mediaId}`);
        if (!answer.ok) throw new Error('The file is not available.');
        this.#files.set(mediaId, URL.createObjectURL(await answer.blob()));
      }
      return this.#files.get(mediaId);
    };
    if (mime.startsWith('image/')) {
      const image = el('img', { alt: name });
      load().then((source) => { image.src = source; }, (error) => { image.alt = `${name}: ${error.message}`; });
      return image;
    }
    return el('button', {
      type: 'button',
      onclick: () => load().then((href) => el('a', { href, download: name }).click(), (error) => toast(error.message, true)),
    }, `${name} (${Math.ceil(length / 1024)} kB)`);
  }

  #compose(session) {
    const text = el('textarea', {
      id: 'text', placeholder: 'Write a message. Enter sends, Shift+Enter breaks the line.', value: this.#drafts.get(session.id) ?? '',
      oninput: () => this.#typing(text.value),
      onkeydown: (event) => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
          event.preventDefault();
          form.requestSubmit();
        }
      },
    });
    text.setAttribute('aria-label', 'Message');
    const to = el('select', { id: 'visibility', onchange: () => text.classList.toggle('whisper', to.value !== 'All') },
      el('option', { value: 'All' }, 'To everybody'), el('option', { value: 'Agent' }, 'To agents'), el('option', { value: 'Supervisor' }, 'To supervisors'));
    to.setAttribute('aria-label', 'Who may read it');
    const file = el('input', { type: 'file', id: 'file', hidden: true, onchange: () => this.#upload(file) });
    const form = el('form.compose', {
      id: 'compose',
      onsubmit: (event) => {
        event.preventDefault();
        this.#send(text, to.value);
      },
    }, text, el('div.row', {},
      el('button.primary', { type: 'submit', id: 'send' }, 'Send'), to,
      el('button', { type: 'button', onclick: () => file.click() }, 'File …'), file,
      el('button', { type: 'button', onclick: () => this.#canned(text) }, 'Answers …'),
      el('button', { type: 'button', onclick: () => this.#link() }, 'Link …'),
      el('button', { type: 'button', onclick: () => this.#card(text) }, 'Card …')));
    return form;
  }

  async #send(text, visibility) {
    const message = text.value.trim();
    if (!message) return;
    text.value = '';
    this.#drafts.delete(this.#id);
    this.#typedAt = 0;
    if (!(await this.#do('send-message', { message, visibility })) && !text.value) text.value = message;
  }

  #typing(value) {
    this.#drafts.set(this.#id, value);
    const now = Date.now();
    if (!value) {
      if (this.#typedAt) this.#quietly('send-typing-stopped');
      this.#typedAt = 0;
    } else if (now - this.#typedAt > TYPING_EVERY_MS && $('visibility').value === 'All') {
      this.#typedAt = now;
      this.#quietly('send-typing-started');
    }
  }

  async #upload(input) {
    const [file] = input.files;
    input.value = '';
    if (!file) return;
    const id = this.#id;
    const body = new FormData();
    body.append('file', file, file.name);
    try {
      const { mediaId } = await this.#client.call('POST', `/nexus/v3/agents/me/interactions/${id}/files`, body);
      await this.#client.command('send-file', { session: id, mediaId, name: file.name, visibility: $('visibility').value });
    } catch (error) {
      toast(error.message, true);
    }
  }

  async #link() {
    const url = el('input', { name: 'url', type: 'url', required: true, placeholder: 'https://' });
    const answer = await ask('Send a link', [field('Address', url)], 'Send');
    if (answer) await this.#do('send-url', { url: answer.get('url') });
  }

  /** A card for the customer; where it cannot be shown it is read as lines. */
  async #card(text) {
    const line = (name, attributes) => el('input', { name, maxLength: 80, ...attributes });
    const answer = await ask('Send a card', [
      field('Words', el('input', { name: 'message', required: true, value: text.value.trim() })),
      field('Title', line('title', { required: true })),
      field('Below the title', line('subtitle')),
      field('Picture', el('input', { name: 'image', type: 'url', placeholder: 'https://' })),
      field('Answers, up to three, with commas between', line('answers')),
    ], 'Send');
    if (!answer) return;
    const given = (name) => answer.get(name).trim() || undefined;
    const buttons = answer.get('answers').split(',').map((one) => one.trim()).filter(Boolean).map((one) => ({ text: one }));
    const card = { title: given('title'), subtitle: given('subtitle'), image: given('image'), buttons };
    if (await this.#do('send-message', { message: given('message'), cards: [card] })) {
      text.value = '';
      this.#drafts.delete(this.#id);
    }
  }

  async #canned(text) {
    let found = [];
    const results = el('select', { name: 'response', size: 8, required: true });
    const search = el('input', {
      type: 'search',
      oninput: async () => {
        const words = search.value.trim();
        const data = await this.#client.command('canned-responses', { session: this.#id, ...(words && { search: words }) });
        found = data.responses;
        results.replaceChildren(...found.map(({ name, text: body }, at) => el('option', { value: at, title: body }, `${name}: ${body}`)));
      },
    });
    search.dispatchEvent(new Event('input'));
    const answer = await ask('Prepared answers', [field('Search', search), field('Answers', results)], 'Use it');
    if (!answer) return;
    text.value = `${text.value}${text.value ? ' ' : ''}${found[Number(answer.get('response'))].text}`;
    text.focus();
  }

  async #target(cmd) {
    const { agents, queues } = await this.#client.call('GET', '/nexus/v3/agents/me/directory');
    const group = (title, options) => el('optgroup', { label: title }, ...options);
    const select = el('select', { name: 'target', required: true },
      cmd !== 'place-in-queue' && group('Agents', agents.map(({ agentId, name }) => el('option', { value: `a${agentId}` }, name))),
      group('Queues', queues.map((queue) => el('option', { value: `q${queue}` }, queue))));
    const answer = await ask(TARGETS[cmd] ?? 'Place in queue', [field('To', select)], label(cmd));
    if (!answer) return;
    const target = answer.get('target');
    await this.#do(cmd, target.startsWith('a') ? { agentId: target.slice(1) } : { queue: target.slice(1) });
  }

  async #search(session) {
    await this.#all(session);
    const words = el('input', { name: 'words', type: 'search', required: true });
    const answer = await ask('Search the transcript', [field('Words', words)], 'Search');
    if (!answer) return;
    const wanted = answer.get('words').toLocaleLowerCase();
    const hits = session.messages.filter(({ text }) => text?.toLocaleLowerCase().includes(wanted));
    document.querySelectorAll('.hit').forEach((hit) => hit.classList.remove('hit'));
    hits.forEach(({ index }) => $(`m${index}`)?.classList.add('hit'));
    $(`m${hits.at(-1)?.index}`)?.scrollIntoView({ block: 'center' });
    toast(hits.length === 1 ? '1 message found' : `${hits.length} messages found`);
  }

  #older(session) {
    return el('li.msg.event', {}, el('button', { type: 'button', onclick: () => this.#page(session) }, 'Earlier messages'));
  }

  async #page(session) {
    const upto = session.next ?? (session.messages[0]?.index ?? 1) - 1;
    const page = await this.#client.command('transcript', { session: session.id, ...(upto > 0 ? { upto } : {}), limit: 100 });
    this.#model.older(session.id, page);
    return page.next;
  }

  async #all(session) {
    while (!session.complete) {
      if (!(await this.#page(session))) break;
    }
  }

  async #do(cmd, fields = {}) {
    try {
      await this.#client.command(cmd, { session: this.#id, ...fields });
      return true;
    } catch (error) {
      toast(error.message, true);
      return false;
    }
  }

  #quietly(cmd) {
    this.#client.command(cmd, { session: this.#id }).catch(() => {});
  }
}

/** What a mail is about; nothing for other media. */
export function subject(interaction) {
  const found = interaction.mediatype === 'email' && interaction.userData.find(({ key }) => key === 'Subject');
  return found ? String(found.value) : '';
}

export function customer(interaction) {
  const found = interaction.chat.participants.find(({ type }) => type === 'Customer');
  return found?.nickname || 'Customer';
}

function label(cmd) {
  const words = cmd.replaceAll('-', ' ');
  return words[0].toUpperCase() + words.slice(1);
}
