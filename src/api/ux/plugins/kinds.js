// What the four collections are: their words, columns, fields and samples.

const MEDIA = ['chat', 'sms', 'email', 'social'];
const clip = (text) => ({ clip: text });

export const KINDS = [
  {
    plugin: 'nexuspii', collection: 'pii-rules', path: '/admin/ux/', tab: 'PII masking', title: 'PII masking',
    one: 'rule', lead: 'Patterns that are masked in transcripts and in contact history. They run in linear time: no look-around, no back-references.',
    columns: [['Rule', 'name'], ['Pattern', (it) => ({ code: it.pattern })], ['Shown as', (it) => ({ code: it.replacement })], ['State', (it) => ({ on: it.enabled })]],
    fresh: { name: '', pattern: '', replacement: '*', enabled: true, description: '' },
    fields: [
      { name: 'name', label: 'Name', required: true },
      { name: 'pattern', label: 'Pattern', required: true, mono: true, help: 'A regular expression.' },
      { name: 'replacement', label: 'Shown as', mono: true, help: 'A single * covers as many characters as the match has.' },
      { name: 'enabled', label: 'Mask this pattern', type: 'check' },
      { name: 'description', label: 'Description', type: 'long' },
    ],
    sample: 'My card is 4111 1111 1111 1111, my mail ann@example.com.',
    asks: (it, sample) => ({ pattern: it.pattern, replacement: it.replacement, sample }),
  },
  {
    plugin: 'nexusfc', collection: 'field-codes', path: '/admin/ux/fieldcodes/', tab: 'Field codes', title: 'Field codes',
    one: 'field code', lead: 'Names in braces that stand for values in standard responses, such as {company}.',
    columns: [['Code', (it) => ({ name: `{${it.name}}` })], ['Stands for', (it) => ({ code: it.expression })], ['Description', (it) => clip(it.description)]],
    fresh: { name: '', expression: '', description: '' },
    fields: [
      { name: 'name', label: 'Name', required: true, help: 'What stands between the braces.' },
      { name: 'expression', label: 'Stands for', required: true, mono: true, help: 'contact.FirstName, agent.nickname, session.id, session.userData.Order, variable.company, or a "quoted text".' },
      { name: 'description', label: 'Description', type: 'long' },
    ],
    asks: (it) => ({ expression: it.expression }),
  },
  {
    plugin: 'nexuscv', collection: 'custom-variables', path: '/admin/ux/customvariables/', tab: 'Custom variables', title: 'Custom variables',
    one: 'variable', lead: 'Values that field codes use, kept in one place. Not for secrets: everybody here can read them.',
    columns: [['Variable', 'name'], ['Value', (it) => clip(it.value)], ['Description', (it) => clip(it.description)]],
    fresh: { name: '', value: '', description: '' },
    fields: [
      { name: 'name', label: 'Name', required: true },
      { name: 'value', label: 'Value', type: 'long' },
      { name: 'description', label: 'Description', type: 'long' },
    ],
    sample: 'Thank you for writing to {company}.',
    sampleHelp: 'Shows the saved values: a text with field codes as an agent would send it.',
    asks: (it, sample) => ({ sample }),
  },
  {
    plugin: 'nexussr', collection: 'standard-responses', path: '/admin/ux/sr/', tab: 'Standard responses', title: 'Standard responses',
    one: 'response', lead: 'Prepared answers for agents, strategies and bots, per language, with field codes.',
    columns: [['Response', 'name'], ['Category', 'category'], ['Shortcut', (it) => it.shortcut ? ({ code: it.shortcut }) : ''], ['Text', (it) => clip(Object.values(it.texts)[0] ?? '')], ['Languages', (it) => Object.keys(it.texts).join(', ')]],
    fresh: { name: '', category: '', shortcut: '', texts: { en: '' }, mediaTypes: [], keywords: [] },
    fields: [
      { name: 'name', label: 'Name', required: true },
      { name: 'category', label: 'Category', help: 'A path such as General/Greetings.' },
      { name: 'shortcut', label: 'Shortcut', optional: true, help: 'What an agent types to get it.' },
      { name: 'texts', label: 'Texts', type: 'texts' },
      { name: 'mediaTypes', label: 'Channels', type: 'choices', choices: MEDIA, help: 'None means all.' },
      { name: 'keywords', label: 'Keywords', type: 'words', help: 'Separated by commas.' },
    ],
    asks: (it) => ({ sample: Object.values(it.texts)[0] ?? '' }),
  },
];

/** The kind whose page this is. */
export function here(pathname) {
  const path = pathname.endsWith('/') ? pathname : `${pathname}/`;
  return KINDS.find((kind) => kind.path === path) ?? KINDS[0];
}
