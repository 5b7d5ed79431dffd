// The form of one object, made from the fields of its kind, with a preview by the server's own engine.
import { el, settled } from './dom.js';
import { preview } from './client.js';

/** A form in `panel`. `done` is told `{save: object}`, `{remove: object}` or `{}`. */
export function edit(panel, kind, object, may, done) {
  const isNew = !object.id;
  const writable = isNew ? may.create : may.update;
  const error = el('p.error', { role: 'alert' });
  const controls = kind.fields.map((field) => ({ field, ...control(field, object[field.name], () => show()) }));
  const shown = makePreview(kind, () => values());
  const values = () => {
    const next = { ...object };
    for (const { field, read } of controls) {
      const value = read();
      if (field.optional && value === '') delete next[field.name];
      else next[field.name] = value;
    }
    return next;
  };
  const show = () => {
    for (const wrong of form.querySelectorAll('[aria-invalid="true"]')) wrong.removeAttribute('aria-invalid');
    error.textContent = '';
    shown.refresh();
  };
  const close = () => done({});
  const form = el('form.editor', { noValidate: true, 'aria-labelledby': 'editor-title' },
    el('header', {}, el('h2', { id: 'editor-title' }, isNew ? `New ${kind.one}` : object.name),
      el('button.quietly', { type: 'button', title: 'Close', 'aria-label': 'Close', onclick: close }, '✕')),
    el('div.fields', {}, controls.map(({ box }) => box), error),
    shown.box,
    el('footer', {},
      !isNew && may.delete && el('button.danger.quietly', { type: 'button', onclick: () => done({ remove: object }) }, 'Delete'),
      el('button', { type: 'button', onclick: close }, 'Cancel'),
      writable && el('button.primary', { type: 'submit' }, isNew ? 'Create' : 'Save')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const missing = controls.find(({ field, read }) => field.required && read().trim() === '');
    for (const { input, field, read } of controls) {
      if (field.required && read().trim() === '') input.setAttribute('aria-invalid', 'true');
    }
    if (missing) {
      error.textContent = `${missing.field.label} is needed.`;
      missing.input.focus();
      return;
    }
    done({ save: values() }, (why) => { error.textContent = why; });
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
  });
  if (!writable) for (const element of form.querySelectorAll('input, textarea')) element.disabled = true;
  panel.replaceChildren(form);
  panel.hidden = false;
  controls[0].input.focus();
  show();
}

function control(field, value, changed) {
  const oninput = changed;
  const help = field.help ? el('small', {}, field.help) : null;
  const mono = field.mono ? '.mono' : '';
  switch (field.type) {
    case 'check': {
      const input = el('input', { type: 'checkbox', checked: value, oninput });
      return { input, read: () => input.checked, box: el('label.check', {}, input, field.label) };
    }
    case 'choices': {
      const boxes = field.choices.map((choice) => el('input', { type: 'checkbox', value: choice, checked: value.includes(choice), oninput }));
      const read = () => boxes.filter((box) => box.checked).map((box) => box.value);
      const labels = boxes.map((box) => el('label.check', {}, box, box.value));
      return { input: boxes[0], read, box: el('fieldset', {}, el('legend', {}, field.label), el('div.row', {}, labels), help) };
    }
    case 'words': {
      const input = el('input', { value: value.join(', '), autocomplete: 'off', oninput });
      const read = () => input.value.split(',').map((word) => word.trim()).filter(Boolean);
      return { input, read, box: labelled(field, input, help) };
    }
    case 'texts': return texts(field, value, changed);
    case 'long': {
      const input = el('textarea', { value: value ?? '', rows: 2, oninput });
      return { input, read: () => input.value, box: labelled(field, input, help) };
    }
    default: {
      const input = el(`input${mono}`, { value: value ?? '', autocomplete: 'off', spellcheck: false, required: field.required ?? false, oninput });
      return { input, read: () => input.value, box: labelled(field, input, help) };
    }
  }
}

/** A field with its label, and its help as a description of it. */
function labelled(field, input, help) {
  input.id = `field-${field.name}`;
  if (help) {
    help.id = `help-${field.name}`;
    input.setAttribute('aria-describedby', help.id);
  }
  return el('div.field', {}, el('label', { for: input.id }, field.label), input, help);
}

/** A text per language. */
function texts(field, value, oninput) {
  const rows = el('div.rows', {});
  const add = (language, text) => {
    const row = el('div.text', {},
      el('input', { value: language, 'aria-label': 'Language', placeholder: 'en', autocomplete: 'off', oninput }),
      el('textarea', { value: text, 'aria-label': `Text in ${language || 'this language'}`, oninput }),
      el('button.quietly', { type: 'button', 'aria-label': `Remove ${language || 'this language'}`, title: 'Remove', onclick: () => { row.remove(); oninput(); } }, '✕'));
    rows.append(row);
    return row;
  };
  for (const [language, text] of Object.entries(value)) add(language, text);
  const more = el('button', { type: 'button', onclick: () => add('', '').querySelector('input').focus() }, 'Add a language');
  const read = () => Object.fromEntries([...rows.children]
    .map((row) => [row.querySelector('input').value.trim(), row.querySelector('textarea').value])
    .filter(([language]) => language));
  const box = el('fieldset', {}, el('legend', {}, field.label), rows, el('div.row', {}, more));
  return { input: more, read, box };
}

/** What comes out, as the server would make it. */
function makePreview(kind, values) {
  const output = el('output', { 'aria-live': 'polite', 'aria-label': 'Preview' });
  const sample = el('textarea', { value: kind.sample ?? '', rows: 2, 'aria-label': 'Sample text' });
  let turn = 0;
  const refresh = settled(async () => {
    const mine = ++turn;
    const asked = kind.asks(values(), sample.value);
    const tell = (text, bad) => {
      if (mine !== turn) return;
      output.textContent = text;
      output.className = bad ? 'bad' : '';
    };
    if ('pattern' in asked && !asked.pattern) return tell(sample.value);
    if ('expression' in asked && !asked.expression) return tell('');
    try {
      tell((await preview(kind.collection, asked)).text);
    } catch (refusal) {
      tell(refusal.message, true);
    }
  });
  sample.addEventListener('input', refresh);
  const help = kind.sampleHelp ?? (kind.sample ? 'Try it on a text of your own.' : 'As Ann Example would read it from Alice.');
  const box = el('section.preview', { 'aria-labelledby': 'preview-title' }, el('h2', { id: 'preview-title' }, 'Preview'),
    el('small.faint', {}, help), kind.sample !== undefined && sample, output);
  return { box, refresh };
}
