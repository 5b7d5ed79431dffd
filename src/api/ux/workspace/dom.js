// Elements from words. Text is only ever set as text.

/** `el('button.primary', {type: 'button', onclick}, 'Send')`. */
export function el(selector, attributes = {}, ...children) {
  const [tag, ...classes] = selector.split('.');
  const element = document.createElement(tag || 'div');
  if (classes.length) element.className = classes.join(' ');
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== 'list' && name !== 'form') element[name] = value;
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const $ = (id) => document.getElementById(id);

/** Tells people who do not look at the screen. */
export function announce(text, urgent = false) {
  $(urgent ? 'announce-now' : 'announce').textContent = text;
}

export function clock(timestamp) {
  return new Date(timestamp).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** A dialog that asks for something; resolves with the form's data, or null. */
export function ask(title, fields, confirm = 'OK') {
  return new Promise((resolve) => {
    const form = el('form.sheet', { method: 'dialog' }, el('h2', {}, title), ...fields, el('div.row.end', {},
      el('button', { type: 'submit', value: 'cancel', formNoValidate: true }, 'Cancel'),
      el('button.primary', { type: 'submit', value: 'ok' }, confirm)));
    const dialog = el('dialog', {}, form);
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'ok' ? new FormData(form) : null);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A labelled field. */
export function field(label, control) {
  return el('label.field', {}, el('span', {}, label), control);
}

let toastTimer;

/** Says briefly what went wrong, or right. */
export function toast(text, bad = false) {
  const box = $('toast');
  box.textContent = text;
  box.className = bad ? 'toast bad' : 'toast';
  box.hidden = false;
  announce(text, bad);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 5000);
}
