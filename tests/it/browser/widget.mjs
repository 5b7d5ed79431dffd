// A customer's journey on the example page: opens a chat, writes, sends a picture, reloads, loses the connection, leaves.
import { browse, must } from './harness.mjs'

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64'
)
const NASTY = '<img src=x onerror=alert(1)> & "quotes" https://example.com/a?b=1.'

await browse(async ({ page, shot }) => {
  const tab = await page('customer')
  await tab.goto(process.env.URL)
  const launcher = tab.getByRole('button', { name: 'Chat', exact: true })
  const log = tab.getByRole('log', { name: 'Messages' })

  // The keyboard alone opens the chat, and the form says what is missing.
  await launcher.focus()
  await tab.keyboard.press('Enter')
  await tab.getByRole('button', { name: 'Start chat' }).click()
  must(await tab.getByRole('alert').textContent() === 'Please give your first name.', 'a name is asked for')
  await tab.getByLabel('Your first name').fill('Ann')
  await tab.keyboard.press('Enter')
  await log.getByText('Chat started').waitFor()
  await log.getByText('Somebody will be with you in a moment').waitFor()
  await shot(tab, 'widget-open')

  // What is said appears once, as text and nothing else.
  const write = tab.getByRole('textbox', { name: 'Message' })
  await write.fill(NASTY)
  await tab.keyboard.press('Enter')
  await log.getByText('<img src=x onerror=alert(1)>').waitFor()
  must(await log.locator('img').count() === 0, 'no markup is made of a text')
  must(await log.getByRole('link').getAttribute('href') === 'https://example.com/a?b=1', 'a link ends where it should')

  // A picture is drawn inside the chat.
  await tab.getByLabel('Send a picture').last().setInputFiles({ name: 'pixel.png', mimeType: 'image/png', buffer: PIXEL })
  await log.getByRole('img', { name: 'pixel.png' }).waitFor()
  await write.fill('after the picture')
  await tab.keyboard.press('Enter')
  await log.getByText('after the picture').waitFor()
  await shot(tab, 'widget-picture')

  // A reload brings back every line once.
  await tab.reload()
  await log.getByText('after the picture').waitFor()
  must(await log.getByText('after the picture').count() === 1, 'nothing is shown twice')
  must(await log.getByText('Chat started').count() === 1, 'the chat began once')

  // A lost connection is said, and so is its return; nothing is shown twice.
  await tab.context().setOffline(true)
  await tab.getByText('Connection lost').waitFor()
  await shot(tab, 'widget-lost')
  await tab.context().setOffline(false)
  await tab.getByText('Connection restored').waitFor()
  must(await log.getByText('after the picture').count() === 1, 'nothing is shown twice')

  // Leaving asks first, and leaves the focus where one goes on.
  await tab.getByRole('button', { name: 'End chat' }).first().click()
  await tab.getByRole('alertdialog').getByRole('button', { name: 'Keep talking' }).click()
  await tab.getByRole('button', { name: 'End chat' }).first().click()
  await tab.getByRole('alertdialog').getByRole('button', { name: 'End chat' }).click()
  const again = tab.getByRole('button', { name: 'Start a new chat' })
  await again.waitFor()
  must(await again.evaluate(element => element === document.activeElement), 'the focus is where one goes on')
  await shot(tab, 'widget-over')

  // On a telephone, in the dark.
  const phone = await page('phone', { viewport: { width: 390, height: 780 }, colorScheme: 'dark', isMobile: true })
  await phone.goto(process.env.URL)
  await phone.getByRole('button', { name: 'Ask the workshop' }).click()
  await phone.getByLabel('Your first name').fill('Bo')
  await phone.getByRole('button', { name: 'Start chat' }).click()
  await phone.getByRole('log').getByText('Chat started').waitFor()
  await shot(phone, 'widget-phone')
  console.log('journey complete')
})
