// The page: who sits here, the list of one collection, and its editor.
import { $, announce, confirmed, el, toast } from './dom.js';
import * as client from './client.js';
import { edit } from './editor.js';
import { KINDS, here } from './kinds.js';

const kind = here(location.pathname);
let items = [];
let may = {};
let chosen = null;

function begin() {
  document.title = `${kind.title} - Message collections`;
  $('title').textContent = kind.title;
  $('lead').textContent = kind.lead;
  $('new').textContent = `New ${kind.one}`;
  $('tabs').replaceChildren(...KINDS.map((other) => el('a', { href: other.path, 'aria-current': other === kind ? 'page' : null }, other.tab)));
  $('table').tHead.replaceChildren(el('tr', {}, kind.columns.map(([title]) => el('th', { scope: 'col' }, title))));
  $('new').addEventListener('click', () => open(structuredClone(kind.fresh)));
  $('search').addEventListener('input', show);
  $('signout').addEventListener('click', async () => {
    await client.signOut().catch(() => {});
    signIn();
  });
  $('signin-form').addEventListener('submit', submitToken);
  enter();
}

async function enter() {
  try {
    const who = await client.session();
    may = who.may;
    $('actor').textContent = who.actor.slice(who.actor.indexOf(':') + 1);
    $('new').hidden = !may.create;
    $('signin').hidden = true;
    $('app').hidden = false;
    await load();
  } catch (refusal) {
    if (refusal.status === 401 || refusal.status === 403) signIn();
    else toast(refusal.message, true);
  }
}

function signIn(why = '') {
  $('app').hidden = true;
  $('panel').hidden = true;
  $('signin').hidden = false;
  $('signin-error').textContent = why;
  $('token').value = '';
  $('token').focus();
}

async function submitToken(event) {
  event.preventDefault();
  try {
    await client.signIn(kind.plugin, $('token').value.trim());
    await enter();
  } catch (refusal) {
    signIn(refusal.status === 401 ? 'This token is not valid.' : refusal.message);
  }
}

/** What a refusal means for the page. */
function refused(refusal, tell = (why) => toast(why, true)) {
  if (refusal.status === 401) signIn('Your session has ended. Please sign in again.');
  else tell(refusal.message);
}

async function load() {
  items = await client.list(kind.collection);
  items.sort((a, b) => a.name.localeCompare(b.name));
  show();
}

function show() {
  const wanted = $('search').value.trim().toLowerCase();
  const found = items.filter((it) => JSON.stringify(it).toLowerCase().includes(wanted));
  $('table').tBodies[0].replaceChildren(...found.map(row));
  $('table').hidden = found.length === 0;
  $('empty').hidden = found.length > 0;
  $('empty-text').textContent = wanted ? 'Nothing matches.' : `There is no ${kind.one} yet.`;
  const all = `${items.length} ${kind.one}${items.length === 1 ? '' : 's'}`;
  $('count').textContent = wanted ? `${found.length} of ${all}` : all;
}

function row(item) {
  const openIt = () => open(item);
  const cells = kind.columns.map(([, of], index) => {
    const value = typeof of === 'string' ? item[of] : of(item);
    if (index === 0) {
      const text = value?.name ?? value;
      return el('th', { scope: 'row' }, el('button.open', { type: 'button', onclick: openIt }, text));
    }
    return el('td', {}, cell(value));
  });
  const line = el('tr', { 'aria-selected': String(chosen === item.id) }, cells);
  line.addEventListener('click', (event) => {
    if (!event.target.closest('button')) openIt();
  });
  return line;
}

function cell(value) {
  if (value?.code !== undefined) return el('code', {}, value.code);
  if (value?.clip !== undefined) return el('span.clip', {}, value.clip);
  if (value?.on !== undefined) return el(value.on ? 'span.pill.on' : 'span.pill', {}, value.on ? 'On' : 'Off');
  return String(value ?? '');
}

function open(object) {
  chosen = object.id ?? null;
  show();
  edit($('panel'), kind, object, may, async (answer, tell) => {
    try {
      if (answer.save) {
        const saved = await client.save(kind.collection, answer.save);
        toast(`${saved.name} is saved.`);
      } else if (answer.remove) {
        const text = `“${answer.remove.name}” will be gone for everybody.`;
        if (!await confirmed(`Delete this ${kind.one}?`, text, 'Delete')) return;
        await client.remove(kind.collection, answer.remove.id);
        toast(`${answer.remove.name} is deleted.`);
      }
    } catch (refusal) {
      return refused(refusal, tell);
    }
    $('panel').hidden = true;
    chosen = null;
    if (answer.save || answer.remove) await load().catch(refused);
    else show();
    $('new').focus();
    announce('Editor closed');
  });
}

begin();
