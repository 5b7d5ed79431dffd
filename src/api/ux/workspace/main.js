// The agent desktop: signing in, availability, the list of interactions and offers. The rest is in the modules imported here.

import { AgentClient } from './client.js';
import { Conversation, customer, subject } from './conversation.js';
import { $, announce, ask, el, field, toast } from './dom.js';
import { Model } from './model.js';
import { Panel } from './panel.js';

const TOKEN = 'nexus.workspace.token';
const STATES = {
  connecting: 'Connecting …', resuming: 'Catching up …', online: 'Connected', waiting: 'Connection lost, trying again …',
  replaced: 'Signed in elsewhere', 'signed-out': 'Signed out', stopped: 'Not connected',
};
const OVER = new Set(['Left', 'Canceled', 'Completed']);

let client;
let model;
let conversation;
let panel;

function signIn(token) {
  client = new AgentClient({ base: location.origin, token });
  model = new Model(changed);
  conversation = new Conversation(client, model);
  panel = new Panel(client, model);
  for (const name of ['interaction', 'messages', 'typing', 'channel', 'gap']) client.on(name, (frame) => model[name](frame));
  client.on('hello', (frame) => {
    model.hello(frame);
    sessionStorage.setItem(TOKEN, token);
    $('signin').hidden = true;
    $('desk').hidden = false;
    $('agent-name').textContent = frame.agent.name || frame.agent.agentId;
    $('agent-queues').textContent = frame.agent.queues.join(', ');
    $('supervision').hidden = !frame.agent.supervisor;
    if (frame.agent.supervisor) team();
  });
  client.on('state', connection);
  client.on('error', (error) => toast(error.message, true));
  client.start();
}

function connection(state) {
  const pill = $('connection');
  pill.className = `pill ${state}`;
  pill.textContent = STATES[state] ?? state;
  if (state === 'replaced') pill.append(' ', el('button', { type: 'button', onclick: () => client.start() }, 'Use this one'));
  if (state === 'signed-out') {
    sessionStorage.removeItem(TOKEN);
    $('desk').hidden = true;
    $('signin').hidden = false;
    $('signin-error').textContent = 'This token is not, or no longer, valid.';
  }
}

function changed(dirty) {
  if (dirty.has('desk')) desk();
  list();
  for (const id of dirty) conversation.update(id);
  if (dirty.has(model.selected) || !model.selected) panel.update();
}

function desk() {
  $('auto-accept').checked = model.autoAccept;
  const shown = model.channels.filter(({ capacity }) => capacity > 0);
  $('channels').replaceChildren(...shown.map((channel) => {
    const value = channel.workMode ?? channel.state;
    const select = el('select', { onchange: () => availability(channel.name, select.value) },
      ...[['Ready', 'Ready'], ['NotReady', 'Not ready'], ['AfterCallWork', 'After work'], ['LoggedOut', 'Logged out']].map(
        ([name, text]) => el('option', { value: name, selected: name === value }, `${channel.name}: ${text}`)));
    select.setAttribute('aria-label', `Availability for ${channel.name}`);
    select.dataset.channel = channel.name;
    if (channel.state === 'Ready') select.classList.add('ready');
    if (channel.reasons.length) select.title = channel.reasons.join(', ');
    return select;
  }));
}

async function availability(media, state) {
  let fields = { media };
  if (state === 'NotReady') {
    const reason = el('input', { name: 'reason', list: 'reasons', maxLength: 100, placeholder: 'Break, lunch, meeting …' });
    const answer = await ask('Not ready', [field('Reason (optional)', reason)]);
    if (!answer) return desk();
    if (answer.get('reason').trim()) fields = { media, reasonCode: answer.get('reason').trim() };
  }
  const cmd = { Ready: 'ready', NotReady: 'not-ready', AfterCallWork: 'after-call-work', LoggedOut: 'logout' }[state];
  await run(cmd, fields);
  desk();
}

async function run(cmd, fields) {
  try {
    return await client.command(cmd, fields);
  } catch (error) {
    toast(error.message, true);
    return null;
  }
}

const announced = new Set();

function list() {
  const shown = model.list;
  $('list-empty').hidden = shown.length > 0;
  $('list').replaceChildren(...shown.map((session) => el('li', {}, session.interaction.state === 'Invited' ? offer(session) : item(session))));
  if (model.selected === null) {
    const first = shown.find(({ interaction }) => interaction.state === 'Processing');
    if (first) model.select(first.id);
  }
}

function offer(session) {
  const { id, interaction } = session;
  if (!announced.has(interaction.offer?.offerId)) {
    announced.add(interaction.offer?.offerId);
    announce(`Incoming ${interaction.mediatype} from ${customer(interaction)}`, true);
  }
  const accept = async () => {
    if (await run('accept', { session: id }) !== null) model.select(id);
  };
  const left = Math.max(0, session.deadline - Date.now());
  return el('div.offer', { id: `offer-${id}` },
    el('strong', {}, `${customer(interaction)} · ${interaction.mediatype}`),
    subject(interaction) && el('span', {}, subject(interaction)),
    el('span.faint', {}, [interaction.offer?.kind, interaction.queue].filter(Boolean).join(' · ')),
    el('progress', { max: 30, value: left / 1000, ariaLabel: 'Time left' }),
    el('div.row', {},
      el('button.primary', { type: 'button', onclick: accept }, 'Accept'),
      el('button', { type: 'button', onclick: () => run('reject', { session: id }) }, 'Reject'),
      el('button', { type: 'button', onclick: () => model.select(id) }, 'Look')));
}

function item(session) {
  const { id, interaction, unread, messages } = session;
  const last = messages.findLast(({ text }) => text);
  const over = OVER.has(interaction.state);
  const button = el('button.item', { type: 'button', onclick: () => model.select(id) },
    el('span', {}, customer(interaction)),
    unread ? el('span.badge', {}, String(unread), el('span.quiet', {}, ' unread')) : el('span.faint', {}, over ? interaction.state : ''),
    el('span.last', {}, session.typing.size ? 'typing …' : subject(interaction) || last?.text || ''));
  button.setAttribute('aria-current', String(id === model.selected));
  if (!over) return button;
  const close = el('button', {
    type: 'button',
    ariaLabel: `Close ${customer(interaction)}`,
    onclick: () => {
      client.forget(id);
      model.close(id);
    },
  }, 'Close');
  return el('div', {}, button, close);
}

async function team() {
  try {
    const { agents } = await client.call('GET', '/nexus/v3/agents/me/team');
    $('team').replaceChildren(...agents.map(({ name, state, sessions }) => el('li', {},
      el('span', {}, `${name} · `, el('span.faint', {}, state)),
      ...sessions.map((id) => el('button', { type: 'button', onclick: () => watch(id) }, 'Listen')))));
  } catch (error) {
    toast(error.message, true);
  }
}

async function watch(id) {
  if (await run('monitor', { session: id }) !== null) model.select(id);
}

$('signin-form').addEventListener('submit', (event) => {
  event.preventDefault();
  $('signin-error').textContent = '';
  signIn($('token').value.trim());
});
$('auto-accept').addEventListener('change', ({ target }) => run('auto-accept', { on: target.checked }));
$('team-refresh').addEventListener('click', team);
$('signout').addEventListener('click', () => {
  sessionStorage.removeItem(TOKEN);
  client.stop();
  location.reload();
});
addEventListener('online', () => client?.kick());
setInterval(() => {
  if (!model) return;
  model.expire();
  for (const { id, deadline } of model.sessions.values()) {
    const bar = document.querySelector(`#offer-${CSS.escape(id)} progress`);
    if (bar) bar.value = Math.max(0, deadline - Date.now()) / 1000;
  }
}, 500);

const remembered = sessionStorage.getItem(TOKEN);
if (remembered) signIn(remembered);
