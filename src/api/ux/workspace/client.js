// The reference client of the agent stream (docs/asyncapi.yaml), without any view.
//
// Runs in browsers and in Node: everything it needs from its surroundings is an option. Owns the connection, the positions,
// the commands on their way and the one rule of the display: within a log nothing is told twice and nothing out of order.

const PROTOCOL = 'nexus.v3';
const ACK_EVENTS = 32;
const ACK_MS = 2000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30000;
const RESUME_LIMIT = 256;

/** A call that no server answered. */
class Unreachable extends Error {
  constructor() {
    super('The server cannot be reached. Try again in a moment.');
  }
}

/** An answer that says no. `status` is the service's, `retryAfterMs` when it gave one. */
export class Refusal extends Error {
  constructor(status, retryAfterMs) {
    super(status.detail ? `${status.message} (${status.detail})` : status.message || `code ${status.code}`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Events, by `on(name, listener)`: `state` (connecting, resuming, online, waiting, replaced, signed-out, stopped), `hello`,
 * `interaction`, `messages`, `typing`, `channel`, `gap`, `resumed`, `reconnect`, `error`, `dropped` (an event already shown).
 */
export class AgentClient {
  #options;
  #listeners = new Map();
  #socket = null;
  #positions = new Map();
  #pending = new Map();
  #resumeToken = null;
  #attempt = 0;
  #unacked = 0;
  #ackTimer = null;
  #retryTimer = null;
  #live = false;

  /** `base`: origin of the service. `token`: the agent's bearer token, or a function that gives one. */
  constructor(options) {
    this.#options = {
      WebSocket: globalThis.WebSocket,
      fetch: globalThis.fetch?.bind(globalThis),
      random: Math.random,
      setTimeout: globalThis.setTimeout.bind(globalThis),
      clearTimeout: globalThis.clearTimeout.bind(globalThis),
      uuid: () => globalThis.crypto.randomUUID(),
      ...options,
    };
    this.state = 'stopped';
    this.conn = 0;
    this.desk = null;
  }

  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  /** Where each log stands on this client. */
  get positions() {
    return [...this.#positions].map(([log, { n, hash }]) => ({ log, n, hash }));
  }

  start() {
    this.#stopTimers();
    this.#live = true;
    this.#attempt = 0;
    return this.#connect();
  }

  /** Ends the connection for good. Commands without an answer are rejected. */
  stop(state = 'stopped') {
    this.#live = false;
    this.#stopTimers();
    this.#drop(1000);
    for (const { reject } of this.#pending.values()) reject(new Error('the connection was ended'));
    this.#pending.clear();
    this.#become(state);
  }

  /** Tries again at once, for instance because the network is back. */
  kick() {
    if (this.#live && this.state === 'waiting') {
      this.#stopTimers();
      this.#connect();
    }
  }

  /** Cuts the connection without a word, as a network does. */
  cut() {
    const socket = this.#socket;
    this.#forget();
    socket?.close();
    if (this.#live) this.#retry(0);
  }

  /** Sends a command; it is carried out once however often the connection breaks. Resolves with the data of the reply. */
  command(cmd, fields = {}, cmdId = this.#options.uuid()) {
    return new Promise((resolve, reject) => {
      const frame = JSON.stringify({ cmd, cmdId, ...fields });
      this.#pending.set(cmdId, { frame, resolve, reject });
      if (this.state === 'online' || this.state === 'resuming') this.#socket.send(frame);
    });
  }

  /** Forgets a log that is no longer shown. */
  forget(log) {
    this.#positions.delete(log);
  }

  /** An HTTPS call with the agent's token; resolves with the envelope's `data`. */
  async call(method, path, body, type) {
    const response = await this.fetch(method, path, body, type);
    const envelope = await response.json().catch(() => ({}));
    if (!response.ok) throw new Refusal(envelope.status ?? { code: response.status, message: response.statusText });
    return envelope.data;
  }

  /** The same, with the raw answer. */
  async fetch(method, path, body, type) {
    const { base, token, fetch } = this.#options;
    const headers = { Authorization: `Bearer ${typeof token === 'function' ? await token() : token}` };
    if (type) headers['Content-Type'] = type;
    return fetch(`${base}${path}`, { method, headers, body, cache: 'no-store' }).catch(() => { throw new Unreachable(); });
  }

  async #connect() {
    this.#become('connecting');
    let credential;
    try {
      credential = this.#resumeToken ? `resume.${this.#resumeToken}` : `ticket.${await this.#ticket()}`;
    } catch (error) {
      const code = error instanceof Refusal ? Math.floor(error.status.code / 100) : 0;
      if (code === 401 || code === 403) return this.stop('signed-out');
      // That the connection is lost is shown already.
      if (!(error instanceof Unreachable)) this.#emit('error', error);
      return this.#retry();
    }
    if (!this.#live) return;
    const address = `${this.#options.base.replace(/^http/, 'ws')}/nexus/v3/agentstream`;
    const socket = new this.#options.WebSocket(address, [PROTOCOL, credential]);
    this.#socket = socket;
    socket.onmessage = ({ data }) => socket === this.#socket && this.#take(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.#socket && this.#closed(code);
    socket.onerror = () => {};
  }

  async #ticket() {
    return (await this.call('POST', '/nexus/v3/agents/ticket')).ticket;
  }

  #closed(code) {
    const opened = this.state === 'online' || this.state === 'resuming';
    this.#forget();
    if (!this.#live) return;
    if (code === 4409) return this.stop('replaced');
    // A token that is no longer good, or a handshake that never came to an end: begin with the credential again.
    if (code === 4401 || !opened) this.#resumeToken = null;
    this.#retry();
  }

  #retry(inMs) {
    if (!this.#live) return;
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempt++);
    this.#become('waiting');
    this.#retryTimer = this.#options.setTimeout(() => this.#connect(), inMs ?? this.#options.random() * ceiling);
  }

  #take(frame) {
    switch (frame.event) {
      case 'hello':
        this.#hello(frame);
        break;
      case 'reply':
        this.#reply(frame);
        break;
      case 'resumed':
        this.#attempt = 0;
        for (const { log, n, hash } of frame.positions) this.#stand(log, n, hash);
        this.#become('online');
        this.#emit('resumed', frame);
        break;
      case 'gap':
        this.#positions.delete(frame.log);
        if (frame.snapshot) this.#stand(frame.log, frame.to, frame.hash);
        this.#emit('gap', frame);
        break;
      case 'reconnect':
        this.#emit('reconnect', frame);
        this.#retryTimer = this.#options.setTimeout(() => {
          this.#drop(1000);
          this.#connect();
        }, frame.inMs);
        break;
      case 'error':
        // Far behind, and nothing is lost: there is nothing to do about it, and nothing to say.
        if (frame.kind === 'lagging') break;
        if (frame.cmdId) this.#reply(frame);
        this.#emit('error', new Refusal(frame.status));
        break;
      default:
        this.#event(frame);
    }
  }

  #hello(frame) {
    this.conn = frame.conn;
    this.desk = frame.desk.log;
    this.#resumeToken = frame.resumeToken;
    this.#emit('hello', frame);
    if (!this.#positions.has(this.desk)) this.#stand(this.desk, frame.desk.n, frame.desk.hash);
    this.#become('resuming');
    const positions = this.positions;
    // The desk first, then the newest sessions: what is left out is told from its beginning.
    positions.sort((a, b) => (b.log === this.desk) - (a.log === this.desk));
    this.#socket.send(JSON.stringify({ cmd: 'resume', positions: positions.slice(0, RESUME_LIMIT) }));
    for (const { frame: command } of this.#pending.values()) this.#socket.send(command);
  }

  #event(frame) {
    if (frame.n === undefined) return this.#emit('typing', frame);
    const last = this.#positions.get(frame.log);
    const begins = frame.notificationType === 'Snapshot';
    if (last && frame.n <= last.n && !begins) return this.#emit('dropped', frame);
    this.#stand(frame.log, frame.n, frame.hash);
    this.#emit(frame.event, frame);
    this.#unacked += 1;
    if (this.#unacked >= ACK_EVENTS) this.#ack();
    else this.#ackTimer ??= this.#options.setTimeout(() => this.#ack(), ACK_MS);
  }

  #ack() {
    this.#options.clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
    this.#unacked = 0;
    if (this.state === 'online') {
      this.#socket.send(JSON.stringify({ cmd: 'ack', positions: this.positions.slice(0, RESUME_LIMIT) }));
    }
  }

  #reply({ cmdId, status, retryAfterMs, data }) {
    const pending = this.#pending.get(cmdId);
    if (!pending) return;
    this.#pending.delete(cmdId);
    if (status.code === 0) pending.resolve(data);
    else pending.reject(new Refusal(status, retryAfterMs));
  }

  #stand(log, n, hash) {
    this.#positions.set(log, { n, hash });
  }

  #drop(code) {
    const socket = this.#socket;
    this.#forget();
    socket?.close(code);
  }

  #forget() {
    this.#socket = null;
    this.#options.clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
  }

  #stopTimers() {
    this.#options.clearTimeout(this.#retryTimer);
    this.#options.clearTimeout(this.#ackTimer);
    this.#ackTimer = null;
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.#emit('state', state);
  }

  #emit(name, value) {
    for (const listener of this.#listeners.get(name) ?? []) listener(value);
  }
}
