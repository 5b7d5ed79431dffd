// What the desktop knows: interactions, their messages, who types, what is unread. No DOM, no network.

const TYPING_MS = 8000;

/** `changed` is called, once a turn, with the set of what changed: `desk`, `list`, or an interaction's id. */
export class Model {
  #changed;
  #dirty = new Set();

  constructor(changed) {
    this.#changed = changed;
    this.agent = null;
    this.channels = [];
    this.autoAccept = false;
    this.sessions = new Map();
    this.selected = null;
  }

  hello({ agent, channels, autoAccept }) {
    this.agent = agent;
    this.#desk(channels, autoAccept);
  }

  channel({ media, autoAccept }) {
    this.#desk(media.channels, autoAccept);
  }

  interaction({ log, notificationType, interaction, messages }) {
    const session = this.#session(log);
    if (notificationType === 'Snapshot') session.messages = [];
    if (interaction) this.#adopt(session, interaction);
    for (const message of messages ?? []) this.#append(session, message);
    this.#touch(log);
  }

  messages({ log, messages }) {
    const session = this.#session(log);
    for (const message of messages) this.#append(session, message);
    this.#touch(log);
  }

  typing({ log, messages }) {
    const session = this.sessions.get(log);
    if (!session) return;
    for (const { type, text, from } of messages) {
      if (!from || from.participantId === session.interaction?.participantId) continue;
      if (type === 'TypingStarted') {
        session.typing.set(from.participantId, { from, text, until: Date.now() + TYPING_MS });
      } else {
        session.typing.delete(from.participantId);
      }
    }
    this.#touch(log);
  }

  /** Gives up typing signals that were never taken back. */
  expire(now = Date.now()) {
    for (const [id, session] of this.sessions) {
      for (const [who, { until }] of session.typing) {
        if (until > now) continue;
        session.typing.delete(who);
        this.#touch(id);
      }
    }
  }

  gap({ log, snapshot }) {
    if (snapshot?.channels) return this.#desk(snapshot.channels, snapshot.autoAccept);
    if (!snapshot) return this.close(log);
    const session = this.#session(log);
    session.messages = [];
    this.#adopt(session, snapshot.interaction);
    for (const message of snapshot.messages) this.#append(session, message);
    session.unread = 0;
    this.#touch(log);
  }

  /** A page of older messages. */
  older(log, { messages, next }) {
    const session = this.#session(log);
    const known = new Set(session.messages.map(({ index }) => index));
    session.messages = [...messages.filter(({ index }) => !known.has(index)), ...session.messages];
    session.messages.sort((a, b) => a.index - b.index);
    session.next = next;
    session.complete = !next;
    this.#touch(log);
  }

  select(log) {
    if (this.selected) this.#touch(this.selected);
    this.selected = log;
    const session = this.sessions.get(log);
    if (session) session.unread = 0;
    this.#touch(log);
  }

  close(log) {
    this.sessions.delete(log);
    if (this.selected === log) this.selected = null;
    this.#touch(log);
  }

  /** The sessions in the order they are shown: invitations, then those in hand, then those that are over. */
  get list() {
    const rank = { Invited: 0, Processing: 1, Consulting: 1, Monitoring: 2 };
    return [...this.sessions.values()]
      .filter(({ interaction }) => interaction)
      .sort((a, b) => (rank[a.interaction.state] ?? 3) - (rank[b.interaction.state] ?? 3) || a.since - b.since);
  }

  #session(id) {
    if (!this.sessions.has(id)) {
      this.sessions.set(id, {
        id, interaction: null, messages: [], typing: new Map(), unread: 0, since: Date.now(), complete: false, deadline: 0,
      });
    }
    return this.sessions.get(id);
  }

  #adopt(session, interaction) {
    session.interaction = interaction;
    session.deadline = interaction.offer ? Date.now() + interaction.offer.remainingMs : 0;
  }

  #append(session, message) {
    if (message.index <= (session.messages.at(-1)?.index ?? 0)) return;
    session.messages.push(message);
    if (message.from) session.typing.delete(message.from.participantId);
    const mine = message.from?.participantId === session.interaction?.participantId;
    const spoken = message.type !== 'ParticipantJoined' && message.type !== 'ParticipantLeft';
    if (session.id !== this.selected && !mine && spoken) session.unread += 1;
  }

  #desk(channels, autoAccept) {
    this.channels = channels;
    this.autoAccept = autoAccept;
    this.#touch('desk');
  }

  #touch(what) {
    if (this.#dirty.size === 0) {
      queueMicrotask(() => {
        const dirty = this.#dirty;
        this.#dirty = new Set();
        this.#changed(dirty);
      });
    }
    this.#dirty.add(what);
  }
}
