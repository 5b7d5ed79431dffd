// Shows that the harness works: opens URL, presses the button, says the title. The picture is called NAME.
import { browse } from './harness.mjs'

await browse(async ({ page, shot }) => {
  const tab = await page('smoke')
  await tab.goto(process.env.URL)
  await tab.getByRole('button').click()
  console.log(await tab.title(), await tab.getByRole('button').textContent())
  await shot(tab, process.env.NAME)
})
