// A customer's side of chat v3, by the contract alone: forms out, envelopes in, polling between.

const $ = (selector) => document.querySelector(selector);
const ui = {
  launcher: $(".launcher"), badge: $(".badge"), chat: $(".chat"), title: $(".with"), notice: $(".notice"),
  start: $(".start"), wrong: $(".wrong"), talk: $(".talk"), log: $(".log"), typing: $(".typing"), who: $(".who"),
  confirm: $(".confirm"), composer: $(".composer"), text: $("textarea"), file: $(".attach input"), over: $(".over"),
  leave: $(".leave"),
};
const STORE = "nexus.chat";
const texts = {
  lost: "Connection lost. Trying again…", restored: "Connection restored.", gone: "Your previous chat is over.",
  unsent: "Not sent. Please try again.", file: "The picture could not be sent.", name: "Please give your first name.",
  usual: "We usually answer within minutes.", failed: "The chat could not be started. Please try again.",
};

let config = { dataURL: "/nexus/v3/chat/sessions", apiKey: "", endpoint: "", pollMs: 3000, activePollMs: 1000 };
let chat = null;      // { token, session, participant, pictures } while a chat is open
let seen = new Set(); // indexes that are drawn
let people = new Map();
let timer = 0, typingTimer = 0, hideTyping = 0, unread = 0;
let polling = false, online = true, typing = false, active = 0;

// ---- the wire

class Refused extends Error {
  constructor(status, envelope, after) {
    super(envelope?.status?.message || "");
    Object.assign(this, { http: status, code: envelope?.status?.code, after });
  }
}

function fields(value, name, form = new URLSearchParams()) {
  if (value !== null && typeof value === "object") {
    for (const [key, member] of Object.entries(value)) fields(member, name ? `${name}[${key}]` : key, form);
  } else {
    form.append(name, value ?? "");
  }
  return form;
}

async function call(method, path, body, more = {}) {
  const headers = { "x-api-key": config.apiKey, ...more };
  if (chat) headers["x-nexus-client-key"] = chat.token;
  let url = config.dataURL + path;
  const operationId = crypto.randomUUID();
  if (method === "GET") url += `${path.includes("?") ? "&" : "?"}operationId=${operationId}`;
  else if (body instanceof FormData) body.append("operationId", operationId);
  else body = fields({ data: body ?? {}, operationId });
  const answer = await fetch(url, { method, headers, body, cache: "no-store", credentials: "omit" });
  const envelope = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, envelope, Number(answer.headers.get("Retry-After")));
  return envelope?.data ?? {};
}

// ---- the life of a chat

async function open(form) {
  const name = form.firstName.trim();
  ui.start.firstName.setAttribute("aria-invalid", String(!name));
  ui.wrong.textContent = name ? "" : texts.name;
  if (!name) return ui.start.firstName.focus();
  const button = ui.start.querySelector("button");
  button.disabled = true;
  try {
    const data = await call("POST", "", {
      ...form, nickname: name, endpoint: config.endpoint,
      userData: {
        _genesys_source: matchMedia("(max-width: 30rem)").matches ? "mobile" : "web",
        _genesys_url: location.href, _genesys_pageTitle: document.title, _genesys_referrer: document.referrer,
      },
    });
    const claims = JSON.parse(atob(data.clientToken.split(".")[1]));
    adopt({ token: data.clientToken, session: claims.sessionId, participant: claims.participantId, pictures: {} });
    ui.text.focus();
    poll();
  } catch (error) {
    ui.wrong.textContent = error.message && error instanceof Refused ? error.message : texts.failed;
  } finally {
    button.disabled = false;
  }
}

function adopt(next) {
  chat = next;
  seen = new Set();
  people = new Map();
  ui.log.replaceChildren();
  remember();
  show("talk");
}

function remember() {
  if (chat) sessionStorage.setItem(STORE, JSON.stringify(chat));
  else sessionStorage.removeItem(STORE);
}

async function restore() {
  const kept = sessionStorage.getItem(STORE);
  if (!kept) return;
  adopt(JSON.parse(kept));
  toggle(true, false);
  for (let wait = 1000; chat; wait = Math.min(wait * 2, 15000)) {
    try {
      const data = await call("GET", `/${chat.session}/messages?count=10000`);
      connection(true);
      draw(data.messages ?? []);
      return schedule();
    } catch (error) {
      if (error instanceof Refused && (error.code === "INVALID_SESSION" || [401, 404].includes(error.http))) {
        forget();
        show("start");
        return say(texts.gone);
      }
      connection(false);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

function forget() {
  clearTimeout(timer);
  chat = null;
  remember();
}

function end() {
  forget();
  ui.typing.hidden = true;
  show("over");
}

async function leave() {
  const left = chat;
  ui.confirm.hidden = true;
  try {
    await call("DELETE", `/${left.session}/participants/${left.participant}`);
  } catch { /* The customer has left either way. */ }
  if (chat === left) end();
}

// ---- polling

function schedule() {
  clearTimeout(timer);
  if (!chat) return;
  const quick = Date.now() < active && !document.hidden;
  timer = setTimeout(poll, quick ? config.activePollMs : config.pollMs);
}

async function poll() {
  if (!chat || polling) return;
  const asked = chat;
  polling = true;
  let wait = 0;
  try {
    const data = await call("GET", `/${asked.session}/messages`);
    connection(true);
    if (chat !== asked) return;
    draw(data.messages ?? []);
    if (data.chatEnded) end();
  } catch (error) {
    if (chat !== asked) return;
    if (!(error instanceof Refused)) connection(false);
    else if (error.code === "INVALID_SESSION" || error.http === 404) { end(); say(texts.gone); }
    else if (error.http === 429) wait = (error.after || 1) * 1000;
    else say(error.message);
  } finally {
    polling = false;
    if (wait) { clearTimeout(timer); timer = setTimeout(poll, wait); } else schedule();
  }
}

function quicken() {
  active = Date.now() + 30000;
}

function connection(works) {
  if (works === online) return;
  online = works;
  say(works ? texts.restored : texts.lost, works ? 4000 : 0);
}

// ---- sending

async function send(text) {
  const key = crypto.randomUUID();
  const post = () => call("POST", `/${chat.session}/messages`, { type: "Text", text }, { "Idempotency-Key": key });
  typing = false;
  clearTimeout(typingTimer);
  ui.text.value = "";
  try {
    // Under one key a second attempt cannot say it twice.
    await post().catch((error) => { if (error instanceof Refused && error.http < 500) throw error; return post(); });
    quicken();
    poll();
  } catch (error) {
    if (!ui.text.value) ui.text.value = text;
    say(error.message && error instanceof Refused ? error.message : texts.unsent);
  }
}

function typed() {
  if (!chat) return;
  const tell = (type) => call("POST", `/${chat.session}/messages`, { type, text: ui.text.value }).catch(() => {});
  if (!typing) { typing = true; tell("TypingStarted"); }
  clearTimeout(typingTimer);
  typingTimer = setTimeout(() => { typing = false; if (chat) tell("TypingStopped"); }, 2000);
}

async function upload(file) {
  const form = new FormData();
  form.append("file", file, file.name || "picture.png");
  try {
    await call("POST", `/${chat.session}/images`, form);
    quicken();
    poll();
  } catch (error) {
    say(error.message && error instanceof Refused ? error.message : texts.file);
  }
}

// ---- drawing; what people wrote is only ever text

function draw(messages) {
  const atEnd = ui.log.scrollHeight - ui.log.scrollTop - ui.log.clientHeight < 60;
  let fresh = 0;
  for (const message of messages) {
    if (seen.has(message.index)) continue;
    seen.add(message.index);
    const item = line(message);
    if (item) { ui.log.append(item); fresh += message.from.type !== "Customer"; }
  }
  if (fresh) quicken();
  if (fresh && ui.chat.hidden) badge(unread + fresh);
  if (atEnd) ui.log.scrollTop = ui.log.scrollHeight;
}

function line(message) {
  const { type, from } = message;
  const own = from.type === "Customer";
  const other = ["Agent", "Supervisor", "Bot"].includes(from.type);
  switch (type) {
    case "TypingStarted": case "TypingStopped": return typist(type === "TypingStarted" && other, from.nickname);
    case "ParticipantJoined":
      if (other) { people.set(from.participantId, from.nickname); present(); }
      return own ? plain("Chat started") : other ? plain(`${from.nickname} joined`) : null;
    case "ParticipantLeft":
      if (people.delete(from.participantId)) present();
      return other ? plain(`${from.nickname} left`) : null;
    case "Text": case "Message": case "PushUrl": case "Structured": break;
    default: return null;
  }
  const text = message.url ?? message.text ?? "";
  if (from.type === "External") return plain(text);
  typist(false);
  const item = make("li", own ? "said own" : "said");
  const time = new Date(message.utcTime).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const bubble = make("div", "bubble");
  const by = make("span", "by");
  const name = make("bdi");
  name.textContent = own ? "You" : from.nickname;
  by.append(name, ` · ${time}`);
  item.append(by, bubble);
  const shown = message.contentType === "attachments" ? message.content?.[0] : null;
  if (shown?.type === "image") { chat.pictures[message.index] = shown.url; remember(); }
  const url = chat.pictures[message.index];
  if (url) picture(bubble, url, text); else linked(bubble, text);
  return item;
}

async function picture(bubble, url, name) {
  bubble.textContent = name;
  try {
    const headers = { "x-api-key": config.apiKey, "x-nexus-client-key": chat.token };
    const answer = await fetch(config.dataURL.replace(/\/sessions$/, "") + url, { headers, credentials: "omit" });
    if (!answer.ok) return;
    const image = make("img");
    image.alt = name;
    image.src = URL.createObjectURL(await answer.blob());
    image.onload = () => { bubble.replaceChildren(image); ui.log.scrollTop = ui.log.scrollHeight; };
  } catch { /* Its name stands there. */ }
}

function linked(bubble, text) {
  let end = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g)) {
    bubble.append(text.slice(end, match.index));
    const link = make("a");
    Object.assign(link, { href: match[0], textContent: match[0], target: "_blank", rel: "noopener noreferrer nofollow" });
    bubble.append(link);
    end = match.index + match[0].length;
  }
  bubble.append(text.slice(end));
}

function plain(text) {
  const item = make("li", "line");
  item.textContent = text;
  return item;
}

function make(tag, name = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  return element;
}

function typist(on, name) {
  clearTimeout(hideTyping);
  ui.typing.hidden = !on;
  if (!on) return null;
  ui.who.textContent = `${name} is typing`;
  hideTyping = setTimeout(typist, 3000, false);
  return null;
}

function present() {
  ui.title.textContent = people.size ? `With ${[...people.values()].join(", ")}` : texts.usual;
}

// ---- the panel

function show(view) {
  const talking = view !== "start";
  ui.start.hidden = talking;
  ui.talk.hidden = !talking;
  ui.over.hidden = view !== "over";
  ui.composer.hidden = ui.leave.hidden = view !== "talk";
  ui.confirm.hidden = true;
  say("");
  if (view === "over" && !ui.chat.hidden) ui.over.querySelector("button").focus();
}

let quiet = 0;
function say(text, forMs = 8000) {
  clearTimeout(quiet);
  ui.notice.textContent = text;
  ui.notice.hidden = !text;
  if (text && forMs) quiet = setTimeout(say, forMs, "");
}

function badge(count) {
  unread = count;
  ui.badge.hidden = !count;
  ui.badge.textContent = count || "";
  ui.launcher.setAttribute("aria-label", count ? `Chat, ${count} new` : "Chat");
}

function toggle(open, focus = true) {
  ui.chat.hidden = !open;
  ui.launcher.setAttribute("aria-expanded", String(open));
  if (open) {
    badge(0);
    ui.log.scrollTop = ui.log.scrollHeight;
  }
  if (!focus) return;
  if (!open) return ui.launcher.focus();
  (chat ? ui.text : ui.start.hidden ? ui.over.querySelector("button") : ui.start.firstName).focus();
}

ui.launcher.onclick = () => toggle(ui.chat.hidden);
$(".close").onclick = () => toggle(false);
for (const button of document.querySelectorAll("[data-chat-open]")) button.onclick = () => toggle(true);
ui.chat.onkeydown = (event) => {
  if (event.key !== "Escape") return;
  if (ui.confirm.hidden) toggle(false);
  else { ui.confirm.hidden = true; ui.leave.focus(); }
};
ui.start.onsubmit = (event) => { event.preventDefault(); open(Object.fromEntries(new FormData(ui.start))); };
ui.leave.onclick = () => { ui.confirm.hidden = false; ui.confirm.querySelector(".no").focus(); };
ui.confirm.querySelector(".yes").onclick = leave;
ui.confirm.querySelector(".no").onclick = () => { ui.confirm.hidden = true; ui.text.focus(); };
ui.over.querySelector("button").onclick = () => { people.clear(); present(); show("start"); ui.start.firstName.focus(); };
ui.composer.onsubmit = (event) => {
  event.preventDefault();
  const text = ui.text.value.trim();
  if (text && chat) send(text);
};
ui.text.onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ui.composer.requestSubmit(); }
};
ui.text.oninput = typed;
ui.text.onpaste = (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file && chat) { event.preventDefault(); upload(file); }
};
ui.file.onchange = () => { if (ui.file.files[0] && chat) upload(ui.file.files[0]); ui.file.value = ""; };
addEventListener("online", () => poll());
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });

config = { ...config, ...(await fetch("config.json", { cache: "no-store" }).then((answer) => answer.json()).catch(() => ({}))) };
await restore();
