// A GWS for tests: its REST side and its authentication are ours and strict; its events come from a real Bayeux server
// (cometd, faye) or from a script that misbehaves in one way.
//
// Prints `listening PORT` for the one control port. `POST /open` with {"kind": ...} opens a GWS and answers its port.

import { createRequire } from "node:module";
import http from "node:http";
import { randomBytes } from "node:crypto";

const require = createRequire(process.env.NODE_MODULES + "/x.js");

const read = request =>
  new Promise((done, failed) => {
    const parts = [];
    request.on("data", part => parts.push(part));
    request.on("end", () => done(Buffer.concat(parts).toString()));
    request.on("error", failed);
  });

const json = (response, status, value, headers = {}) => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
};

/// Fields an operation takes; whatever else comes is refused.
const OPERATIONS = {
  "place-in-queue": ["queue", "addedProperties", "changedProperties", "deletedProperties"],
  complete: [],
  "update-user-data": ["userData"],
  "set-comment": ["comment"],
  "transfer-agent": ["agentId"],
};

const exactly = (object, names) => {
  const odd = Object.keys(object).filter(name => !names.includes(name));
  if (odd.length > 0) throw new Error(`unknown fields: ${odd}`);
};

class Gws {
  constructor(options, canary) {
    this.options = { kind: "cometd", expiresIn: 300, timeout: 2000, ...options };
    this.canary = canary;
    this.seen = { tokens: [], complaints: [], operations: [], requests: {}, times: {}, activated: 0, initialized: 0, logouts: 0 };
    this.access = new Map();
    this.refresh = new Set();
    this.sessions = new Set();
    this.objects = {
      persons: [{ DBID: 101, userName: "alice", firstName: "Alice", lastName: "A" }],
      "agent-groups": [{ DBID: 7, name: "sales", agentDBIDs: [101] }],
      "interaction-queues": [{ DBID: 9, name: "support" }],
    };
    this.say = { status: null, retryAfter: null };
    this.bayeux = this.options.kind === "cometd" ? new Cometd(this.options)
      : this.options.kind === "faye" ? new Faye(this.options)
      : new Script(this.options, this);
  }

  async open() {
    this.server = http.createServer((request, response) => {
      this.handle(request, response).catch(error => {
        this.seen.complaints.push(String(error.message));
        if (!response.headersSent) json(response, 400, { status: { code: 400, message: String(error.message) } });
      });
    });
    await new Promise(done => this.server.listen(0, "127.0.0.1", done));
    return this.server.address().port;
  }

  async handle(request, response) {
    const url = new URL(request.url, "http://localhost");
    if (url.pathname.startsWith("/test/")) return this.test(url.pathname.slice(6), request, response);
    this.seen.requests[url.pathname] = (this.seen.requests[url.pathname] ?? 0) + 1;
    (this.seen.times[url.pathname] ??= []).push(Date.now());
    if (this.down) return request.socket.destroy();
    if (url.pathname === "/auth/v3/oauth/token") return this.token(request, response);
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
    const until = this.access.get(bearer);
    if (!until || until < Date.now()) return json(response, 401, { status: { code: 401, message: "token" } });
    if (url.pathname === "/workspace/v3/initialize-workspace") {
      const body = await read(request);
      exactly(JSON.parse(body), []);
      const session = randomBytes(12).toString("hex");
      this.sessions.add(session);
      this.seen.initialized += 1;
      return json(response, 200, { status: { code: 1 } }, { "set-cookie": [`WORKSPACE_SESSIONID=${session}; Path=/; HttpOnly`, "other=1"] });
    }
    const cookie = /WORKSPACE_SESSIONID=([0-9a-f]+)/.exec(request.headers.cookie ?? "")?.[1];
    if (!this.sessions.has(cookie)) return json(response, 403, { status: { code: 603, message: "Unauthorized" } });
    if (url.pathname.startsWith("/workspace/v3/notifications/")) {
      if (request.headers["content-type"] !== "application/json") throw new Error("not JSON");
      return this.bayeux.handle(request, response, url.pathname.slice("/workspace/v3/notifications".length));
    }
    if (this.say.status) {
      const headers = this.say.retryAfter ? { "retry-after": String(this.say.retryAfter) } : {};
      if (this.say.status === 302) headers.location = this.canary;
      return json(response, this.say.status, { status: { code: this.say.status } }, headers);
    }
    const objects = /^\/configuration\/v3\/objects\/([a-z-]+)$/.exec(url.pathname)?.[1];
    if (objects) {
      const all = this.objects[objects];
      const offset = Number(url.searchParams.get("offset"));
      const limit = Math.min(Number(url.searchParams.get("limit")), 2);
      return json(response, 200, { status: { code: 0 }, data: { objects: all.slice(offset, offset + limit), totalMatches: all.length } });
    }
    const body = JSON.parse(await read(request));
    if (url.pathname === "/workspace/v3/activate-channels") {
      exactly(body, ["data"]);
      exactly(body.data, ["agentId", "placeName", "channels"]);
      this.seen.activated += 1;
      return json(response, 200, { status: { code: 0 } });
    }
    if (url.pathname === "/workspace/v3/logout") {
      this.seen.logouts += 1;
      this.sessions.delete(cookie);
      return json(response, 200, { status: { code: 0 } });
    }
    const [, media, id, name] = /^\/workspace\/v3\/media\/([a-z]+)\/interactions\/([0-9A-Za-z-]+)\/([a-z-]+)$/.exec(url.pathname) ?? [];
    if (!OPERATIONS[name]) return json(response, 404, { status: { code: 404 } });
    exactly(body, ["data", "operationId"]);
    exactly(body.data, OPERATIONS[name]);
    for (const list of ["addedProperties", "changedProperties", "deletedProperties", "userData"])
      for (const entry of body.data[list] ?? []) exactly(entry, ["key", "type", "value"]);
    this.seen.operations.push({ media, id, name, data: body.data, operationId: body.operationId });
    return json(response, 200, { status: { code: 1 }, operationId: body.operationId });
  }

  async token(request, response) {
    const form = new URLSearchParams(await read(request));
    const grant = form.get("grant_type");
    exactly(Object.fromEntries(form), grant === "refresh_token" ? ["grant_type", "client_id", "refresh_token"] : ["grant_type", "client_id", "scope"]);
    const basic = Buffer.from(/^Basic (\S+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "", "base64").toString();
    if (basic !== "nexus_client:planted%3Asecret") return json(response, 401, { errors: [{ status: { code: 401 } }] });
    if (grant === "refresh_token" && !this.refresh.delete(form.get("refresh_token"))) return json(response, 400, { errors: [] });
    const token = randomBytes(9).toString("hex");
    const next = randomBytes(9).toString("hex");
    this.seen.tokens.push(grant);
    this.access.set(token, Date.now() + this.options.expiresIn * 1000);
    this.refresh.add(next);
    json(response, 200, { access_token: token, token_type: "bearer", expires_in: this.options.expiresIn, refresh_token: next, scope: "*" });
  }

  async test(what, request, response) {
    const body = JSON.parse((await read(request)) || "{}");
    if (what === "publish") this.bayeux.publish(body.channel, body.data);
    if (what === "forget") await this.bayeux.forget();
    if (what === "objects") Object.assign(this.objects, body);
    if (what === "say") Object.assign(this.say, { status: null, retryAfter: null }, body);
    if (what === "down") this.down = body.down;
    if (what === "sign-out") { this.access.clear(); this.sessions.clear(); }
    if (what === "calm") this.bayeux.calm();
    json(response, 200, { ...this.seen, objects: this.objects });
  }
}

class Cometd {
  constructor(options) {
    const cometd = require("cometd-nodejs-server");
    this.server = cometd.createCometDServer({ timeout: options.timeout, maxInterval: 5000, multiSessionInterval: 1500 });
    if (options.acks !== false) this.server.addExtension(new (require("cometd-nodejs-server/ack-extension.js").AcknowledgedMessagesExtension)());
    const refused = options.refuse;
    this.server.policy = {
      canHandshake: (session, message, done) => done(undefined, !options.deny),
      canCreate: (session, message, channel, done) => done(undefined, true),
      canSubscribe: (session, message, channel, done) => done(undefined, channel.name !== refused),
      canPublish: (session, message, channel, done) => done(undefined, false),
    };
    this.live = new Set();
    this.server.addListener("sessionAdded", session => this.live.add(session));
    this.server.addListener("sessionRemoved", session => this.live.delete(session));
  }
  handle(request, response) { this.server.handle(request, response); }
  publish(channel, data) { this.server.createServerChannel(channel).publish(null, data); }
  async forget() { for (const session of [...this.live]) session.disconnect(); }
}

class Faye {
  constructor(options) {
    const faye = require("faye");
    this.adapter = new faye.NodeAdapter({ mount: "/workspace/v3/notifications", timeout: options.timeout / 1000 });
    this.clients = new Set();
    this.adapter.on("handshake", client => this.clients.add(client));
    this.adapter.addExtension({
      incoming(message, callback) {
        if (message.channel === "/meta/subscribe" && [message.subscription].flat().includes(options.refuse))
          message.error = `403:${options.refuse}:Forbidden channel`;
        callback(message);
      },
    });
  }
  handle(request, response) { this.adapter.handle(request, response); }
  publish(channel, data) { this.adapter.getClient().publish(channel, data); }
  async forget() {
    for (const client of this.clients) await new Promise(done => this.adapter._server._engine.destroyClient(client, done));
    this.clients.clear();
  }
}

/// A Bayeux server with batches that misbehaves in one way until it is calmed.
class Script {
  constructor(options, gws) {
    this.options = options;
    this.gws = gws;
    this.fault = options.kind;
    this.batch = 1;
    this.kept = [];
  }
  calm() { this.fault = "none"; }
  publish(channel, data) { this.kept.push({ channel, data, batch: null }); this.wake?.(); }
  async forget() { this.client = null; }
  async handle(request, response, path) {
    const [message] = JSON.parse(await read(request));
    const meta = `/meta${path}`;
    const reply = { channel: meta, id: message.id, successful: true, clientId: message.clientId };
    const answer = (messages, headers) => { response.writeHead(200, { "content-type": "application/json", ...headers }); response.end(JSON.stringify(messages)); };
    if (path === "/handshake") {
      this.client = randomBytes(16).toString("hex");
      return answer([{ ...reply, clientId: this.client, version: "1.0", supportedConnectionTypes: ["long-polling"], ext: { ack: true },
        advice: { reconnect: "retry", interval: 0, timeout: 1000 } }]);
    }
    if (message.clientId !== this.client) return answer([{ ...reply, successful: false, error: "402::session_unknown", advice: { reconnect: "handshake", interval: 0 } }]);
    if (path === "/subscribe") return answer([{ ...reply, subscription: message.subscription }]);
    if (path !== "/connect") return answer([reply]);
    const first = message.advice?.timeout === 0;
    if (!first) {
      const fault = this.fault;
      if (fault === "retry") return answer([{ ...reply, advice: { reconnect: "retry", interval: 0, timeout: 0 } }]);
      if (fault === "negative") return answer([{ ...reply, advice: { reconnect: "retry", interval: -1 } }]);
      if (fault === "handshake") return answer([{ ...reply, successful: false, advice: { reconnect: "handshake", interval: 0 } }]);
      if (fault === "stop") return answer([{ ...reply, successful: false, advice: { reconnect: "none" } }]);
      if (fault === "unknown") return answer([{ ...reply, successful: false, error: "402::session_unknown" }]);
      if (fault === "unknown-401") return answer([{ ...reply, successful: false, error: `401:${this.client}:Unknown client` }]);
      if (fault === "duplicate-ids") return answer([reply, reply, { ...reply, successful: false, error: "402::session_unknown" }]);
      if (fault === "missing-ids") return answer([{ ...reply, id: undefined }]);
      if (fault === "foreign") return answer([{ ...reply, id: "9999" }]);
      if (fault === "half-open") return;
      if (fault === "reset") return request.socket.destroy();
      if (fault === "garbage") return answer("<html>");
      if (fault === "error") { response.writeHead(500); return response.end(); }
      if (fault === "redirect") { response.writeHead(302, { location: this.gws.canary, "set-cookie": "stolen=1" }); return response.end(); }
      if (fault === "deep") { response.writeHead(200); return response.end("[".repeat(100) + "]".repeat(100)); }
      if (fault === "slow") {
        response.writeHead(200, { "content-type": "application/json" });
        const drip = setInterval(() => response.write(" "), 100);
        return response.on("close", () => clearInterval(drip));
      }
      if (fault === "endless") {
        response.writeHead(200, { "content-type": "application/json" });
        const block = Buffer.alloc(65536, 32);
        const pour = () => { while (!response.destroyed && response.write(block)); };
        response.on("drain", pour);
        return pour();
      }
      if (fault === "spoofed") return answer([{ channel: "/workspace/v3/voice", data: { messageType: "InteractionStateChanged", interaction: { id: "spoofed" } } }, reply]);
    }
    // What it is when it is calm: held, with batches.
    const seen = message.ext?.ack ?? 0;
    this.kept = this.kept.filter(it => it.batch === null || it.batch > seen);
    if (!first && this.kept.length === 0) {
      await new Promise(done => { this.wake = done; setTimeout(done, 1000); });
    }
    this.batch += 1;
    for (const it of this.kept) it.batch ??= this.batch;
    answer([...this.kept.map(({ channel, data }) => ({ channel, data })), { ...reply, ext: { ack: this.batch }, advice: { reconnect: "retry", interval: 0, timeout: 1000 } }]);
  }
}

const canary = { hits: [] };
const control = http.createServer(async (request, response) => {
  if (request.url === "/canary") {
    canary.hits.push(request.headers);
    return json(response, 200, []);
  }
  if (request.url === "/hits") return json(response, 200, canary.hits);
  const options = JSON.parse(await read(request));
  const gws = new Gws(options, `http://127.0.0.1:${control.address().port}/canary`);
  json(response, 200, { port: await gws.open() });
});
control.listen(0, "127.0.0.1", () => console.log(`listening ${control.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
