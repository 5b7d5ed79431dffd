// Elements from words. Text is only ever set as text.

/** `el('button.primary', {type: 'button', onclick}, 'Save')`. */
export function el(selector, attributes = {}, ...children) {
  const [tag, ...classes] = selector.split('.');
  const element = document.createElement(tag || 'div');
  if (classes.length) element.className = classes.join(' ');
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== 'list' && name !== 'form') element[name] = value;
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const $ = (id) => document.getElementById(id);

/** Tells people who do not look at the screen. */
export function announce(text) {
  $('announce').textContent = text;
}

let toastTimer;

/** Says briefly what went wrong, or right. */
export function toast(text, bad = false) {
  const box = $('toast');
  box.textContent = text;
  box.className = bad ? 'toast bad' : 'toast';
  box.hidden = false;
  announce(text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 4000);
}

/** Asks before something cannot be taken back. */
export function confirmed(title, text, word) {
  return new Promise((resolve) => {
    const dialog = el('dialog', { 'aria-labelledby': 'confirm-title' }, el('form', { method: 'dialog' },
      el('h2', { id: 'confirm-title' }, title), el('p', {}, text),
      el('div.row', {}, el('button', { type: 'submit', value: 'no' }, 'Cancel'),
        el('button.primary', { type: 'submit', value: 'yes' }, word))));
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes');
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Runs `work` once nobody has asked for a while. */
export function settled(work, ms = 250) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}
