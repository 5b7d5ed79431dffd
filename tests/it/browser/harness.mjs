// What every journey in the browser shares: start Chromium, note what pages complain about, keep pictures.
import { createRequire } from 'node:module'
import path from 'node:path'
import process from 'node:process'
import { held, watch } from './contract.mjs'

const { chromium } = createRequire(path.join(process.env.NODE_MODULES, 'x.js'))('playwright-core')

// Runs `journey` with a browser. `page(name)` opens a tab of its own (own cookies and storage), `shot(page, name)` keeps a
// picture. A page that throws, breaks its content security policy, or says or hears what is not documented, fails the journey; `allow`
// lists what a page may complain about. Gives how much was held against the documents.
export async function browse (journey, { allow = [] } = {}) {
  const complaints = []
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    // The tests may run as root in a container: no sandbox, no shared memory.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu']
  })
  const open = async (name, options = {}) => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, ...options })
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    const complain = text => {
      if (!allow.some(part => text.includes(part))) complaints.push(`${name}: ${text}`)
    }
    watch(page, complain)
    page.on('pageerror', error => complain(`error: ${error.message}`))
    page.on('console', message => {
      const text = message.text()
      if (text.includes('Content Security Policy')) complain(text)
      else console.log(`[${name}] ${message.type()}: ${text}`)
    })
    return page
  }
  const shot = (page, name) => page.screenshot({ path: path.join(process.env.ARTIFACTS, `${name}.png`) })
  try {
    await journey({ browser, page: open, shot })
  } finally {
    await browser.close()
  }
  if (complaints.length > 0) throw new Error(`the page failed:\n${complaints.join('\n')}`)
  return held
}

// Fails the journey with `what` unless `holds`.
export function must (holds, what) {
  if (!holds) throw new Error(what)
}
