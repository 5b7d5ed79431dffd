// The server: sessions, the four collections, previews. The cookie is the browser's alone; the guard header says that the
// request is ours.

export class Refused extends Error {
  constructor(status, body) {
    super(body?.status?.detail ?? body?.status?.message ?? `The server answered ${status}.`);
    this.status = status;
  }
}

async function call(method, path, data, headers = {}) {
  const options = { method, credentials: 'same-origin', headers: { 'x-nexus-plugin': '1', ...headers } };
  if (data !== undefined) {
    options.headers['content-type'] = 'application/json';
    options.body = JSON.stringify(data);
  }
  let response;
  try {
    response = await fetch(`/admin/ux/${path}`, options);
  } catch {
    throw new Error('The server cannot be reached.');
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, body);
  return body.data;
}

export const session = () => call('GET', 'api/session');
export const signIn = (plugin, token) => call('POST', 'loadplugin', { plugin, token });
export const signOut = () => call('DELETE', 'api/session');
export const preview = (kind, values) => call('POST', 'api/preview', { data: { kind, ...values } });

/** Every object of a collection. */
export async function list(collection) {
  const items = [];
  let after = '';
  do {
    const page = await call('GET', `api/${collection}?limit=500${after && `&after=${encodeURIComponent(after)}`}`);
    items.push(...page.items);
    after = page.next;
  } while (after);
  return items;
}

/** Creates, or replaces what has an id unless somebody else did meanwhile. */
export function save(collection, object) {
  if (!object.id) return call('POST', `api/${collection}`, { data: object });
  const path = `api/${collection}/${encodeURIComponent(object.id)}`;
  return call('PUT', path, { data: object }, { 'if-match': `"${object.version}"` });
}

export const remove = (collection, id) => call('DELETE', `api/${collection}/${encodeURIComponent(id)}`);
