// The four plug-in pages: sign in, list, create with a preview, edit, delete, by keyboard where people use one. URL is the
// node, TOKEN an administrator's.
import process from 'node:process'
import { browse, must } from './harness.mjs'

const PAGES = [
  {
    path: '/admin/ux/', name: 'pii', title: 'PII masking', known: 'Card number', one: 'rule', made: 'Order number',
    fill: { Name: 'Order number', Pattern: 'A-\\d+' }, sample: 'order A-17 please', shown: 'order **** please',
    edit: ['Shown as', '[order]', 'order [order] please']
  },
  {
    path: '/admin/ux/fieldcodes/', name: 'fieldcodes', title: 'Field codes', known: '{company}', one: 'field code', made: '{visitor}',
    called: 'visitor', fill: { Name: 'visitor', 'Stands for': 'contact.FirstName' }, shown: 'Ann',
    edit: ['Stands for', 'contact.LastName', 'Example']
  },
  {
    path: '/admin/ux/customvariables/', name: 'customvariables', title: 'Custom variables', known: 'company', one: 'variable', made: 'hotline',
    fill: { Name: 'hotline', Value: '+1 202 555 0100' }, shown: 'Thank you for writing to Example & Co..',
    edit: ['Value', '+1 202 555 0199', 'Thank you for writing to Example & Co..']
  },
  {
    path: '/admin/ux/sr', name: 'sr', title: 'Standard responses', known: 'Greeting', one: 'response', made: 'Refund',
    fill: { Name: 'Refund', Category: 'Billing', 'Text in en': 'Dear {contact.FirstName}, {company} pays you back.' },
    shown: 'Dear Ann, Example & Co. pays you back.', edit: ['Text in en', 'Your refund is on its way.', 'Your refund is on its way.']
  }
]

async function tour (tab, page, shot) {
  await tab.goto(`${process.env.URL}${page.path}`)
  const token = tab.getByLabel('Access token')
  const heading = tab.getByRole('heading', { name: page.title, exact: true })
  await Promise.race([token.waitFor(), heading.waitFor()])
  if (await token.isVisible()) {
    await shot(tab, 'plugin-signin')
    await token.fill('not-the-right-token')
    await tab.keyboard.press('Enter')
    await tab.getByText('This token is not valid.').waitFor()
    await token.fill(process.env.TOKEN)
    await tab.keyboard.press('Enter')
  }
  await heading.waitFor()
  const table = tab.getByRole('table', { name: page.title })
  const named = name => table.getByRole('button', { name, exact: true })
  await named(page.known).waitFor()
  await shot(tab, `plugin-${page.name}-list`)

  await tab.getByRole('button', { name: `New ${page.one}` }).press('Enter')
  must(await tab.getByLabel('Name', { exact: true }).evaluate(it => it === document.activeElement), 'the first field has the focus')
  await tab.getByRole('button', { name: 'Create' }).click()
  await tab.getByRole('alert').filter({ hasText: 'Name is needed.' }).waitFor()
  for (const [label, text] of Object.entries(page.fill)) await tab.getByLabel(label).first().fill(text)
  if (page.sample) await tab.getByLabel('Sample text').fill(page.sample)
  const preview = tab.getByLabel('Preview', { exact: true }).filter({ hasText: page.shown })
  await preview.first().waitFor()
  await shot(tab, `plugin-${page.name}-new`)
  await tab.getByRole('button', { name: 'Create' }).click()
  await named(page.made).waitFor()

  await named(page.made).press('Enter')
  const [label, text, shown] = page.edit
  await tab.getByLabel(label).first().fill(text)
  if (page.sample) await tab.getByLabel('Sample text').fill(page.sample)
  await tab.getByLabel('Preview', { exact: true }).filter({ hasText: shown }).first().waitFor()
  await tab.getByRole('button', { name: 'Save' }).click()
  await tab.getByText(`${page.called ?? page.made} is saved.`).first().waitFor()
  await tab.reload()
  await named(page.made).press('Enter')
  must(await tab.getByLabel(label).first().inputValue() === text, 'the edit is kept')
  await shot(tab, `plugin-${page.name}-edit`)

  await tab.getByLabel('Search').fill('zzz')
  await tab.getByText('Nothing matches.').waitFor()
  await tab.getByLabel('Search').fill('')
  await tab.getByRole('button', { name: 'Delete' }).click()
  await shot(tab, `plugin-${page.name}-delete`)
  await tab.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await named(page.made).waitFor({ state: 'detached' })
  await named(page.known).waitFor()
}

// What a screen reader needs: names on everything that can be used, one main heading.
async function accessible (tab) {
  const nameless = await tab.evaluate(() => [...document.querySelectorAll('button, input, textarea, a')]
    .filter(it => it.offsetParent !== null)
    .filter(it => !(it.textContent.trim() || it.getAttribute('aria-label') || it.labels?.length))
    .map(it => it.outerHTML.slice(0, 80)))
  must(nameless.length === 0, `without a name: ${nameless}`)
  must(await tab.locator('h1:visible').count() === 1, 'one main heading')
}

await browse(async ({ page, shot }) => {
  const tab = await page('plugins')
  for (const it of PAGES) {
    await tour(tab, it, shot)
    await accessible(tab)
  }
  const script = await tab.evaluate(() => document.cookie)
  must(script === '', 'no script can read the session')
  await tab.emulateMedia({ colorScheme: 'dark' })
  await tab.getByRole('link', { name: 'PII masking' }).click()
  await tab.getByRole('button', { name: 'Card number' }).click()
  await tab.getByLabel('Preview', { exact: true }).filter({ hasText: '****' }).first().waitFor()
  await shot(tab, 'plugin-dark')
  await tab.setViewportSize({ width: 480, height: 900 })
  await shot(tab, 'plugin-narrow')
  await tab.getByRole('button', { name: 'Sign out' }).click()
  await tab.getByLabel('Access token').waitFor()
  await tab.reload()
  await tab.getByLabel('Access token').waitFor()
  console.log('four pages complete')
}, { allow: [] })
