// Secure mail in the agent's page: a mail of the portal is offered, answered and noted; when its customer writes again, the agent sees what
// was before. URL is a node of the development tenant.
import process from 'node:process'
import { browse, must } from './harness.mjs'

const KEY = '22222222-2222-4333-8444-555555555555'
const ANN = 'ann@mail.example'

// A call of the portal's back end.
async function portal (method, rest, data) {
  const answer = await fetch(`${process.env.URL}/nexus/v3/securemail${rest}`, {
    method,
    headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
    body: data && JSON.stringify({ data })
  })
  const said = await answer.json()
  must(answer.status === 200, `${method} ${rest}: ${JSON.stringify(said)}`)
  return said.data
}

const write = (subject, text) => portal('POST', '', { address: ANN, name: 'Ann Lee', subject, text })

async function work ({ page, shot }) {
  const agent = await page('agent')
  await agent.goto(`${process.env.URL}/ux/workspace/`)
  await agent.getByLabel('Access token').fill('alice-development-token')
  await agent.getByRole('button', { name: 'Sign in' }).click()
  await agent.getByText('Connected').waitFor()
  await agent.getByLabel('Availability for email').selectOption('Ready')

  await write('My card', 'Please block it.')
  await agent.getByRole('button', { name: 'Accept' }).click()
  const seen = agent.getByRole('log', { name: 'Messages' })
  await seen.getByText('Please block it.').waitFor()
  must(await agent.locator('#subject').textContent() === 'My card', 'the subject stands above the conversation')
  await agent.getByRole('textbox', { name: 'Message' }).fill('It is blocked.')
  await agent.keyboard.press('Enter')
  await seen.getByText('Delivered').waitFor()
  await shot(agent, 'securemail-answered')

  // The customer reads it on the portal, and the agent sees that.
  const unread = await portal('GET', `?address=${ANN}&status=unread`)
  const [answer] = unread.messages
  must(answer.subject === 'Re: My card', `the answer is in the mailbox: ${JSON.stringify(unread)}`)
  await portal('PUT', `/${answer.id}?address=${ANN}`, { status: 'read' })
  await seen.getByText('Read').waitFor()
  await agent.getByLabel('Comment').fill('a new card is on its way')
  await agent.getByLabel('Disposition').fill('card-blocked')
  await agent.getByRole('button', { name: 'Save' }).click()
  await agent.locator('#toast').getByText('Saved').waitFor()
  await agent.getByRole('button', { name: 'Complete' }).click()

  await write('My new card', 'When will it come?')
  await agent.getByRole('button', { name: 'Accept' }).click()
  await seen.getByText('When will it come?').waitFor()
  // The history is written after the end of a session, and looked up once: a page that was too early looks again.
  const earlier = agent.locator('#earlier')
  for (let look = 0; ; look++) {
    try {
      await earlier.getByText('My card · a new card is on its way').waitFor({ timeout: 2_000 })
      break
    } catch (error) {
      if (look === 8) throw error
      await agent.reload()
      await agent.getByText('Connected').waitFor()
    }
  }
  must((await earlier.textContent()).includes('card-blocked'), 'what came of it stands there')
  must(await earlier.getByRole('listitem').count() === 1, 'the interaction is not its own past')
  await shot(agent, 'securemail-earlier')
}

const held = await browse(work)
for (const kind of ['accept', 'send-message', 'set-comment', 'complete']) {
  must(held.kinds.has(kind), `no frame ${kind} was held against its document`)
}
console.log('journey complete')
process.exit(0)
