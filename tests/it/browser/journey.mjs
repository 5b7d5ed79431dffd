// The main job: a customer and an agent talk, each in a tab of their own, while the agent's node is killed and comes back.
// NODES holds the arguments of each node, as JSON; the customer is on the first, the agent on the last.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { browse, must } from './harness.mjs'

const nodes = JSON.parse(process.env.NODES)
const running = []

// Starts a node and waits until it serves.
async function start (index) {
  const child = spawn(process.env.NEXUS, nodes[index].args, { stdio: ['ignore', 'pipe', 'inherit'] })
  running[index] = child
  let said = ''
  for await (const piece of child.stdout) {
    said += piece
    if (said.includes('"serving"')) break
    must(said.length < 1_000_000, `node ${index} does not serve`)
  }
  child.stdout.resume?.()
}

// Ends a node as a crash does.
async function crash (index) {
  running[index].kill('SIGKILL')
  await once(running[index], 'exit')
}

async function talk ({ page, shot }) {
  const [first, last] = [nodes[0].url, nodes.at(-1).url]
  const agent = await page('agent')
  await agent.goto(`${last}/ux/workspace/`)
  await agent.getByLabel('Access token').fill('alice-development-token')
  await agent.getByRole('button', { name: 'Sign in' }).click()
  await agent.getByText('Connected').waitFor()
  await agent.getByLabel('Availability for chat').selectOption('Ready')
  await shot(agent, `${process.env.NAME}-agent-ready`)

  const customer = await page('customer')
  await customer.goto(`${first}/ux/widget/`)
  await customer.getByRole('button', { name: 'Chat', exact: true }).click()
  await customer.getByLabel('Your first name').fill('Ann')
  await customer.keyboard.press('Enter')
  const heard = customer.getByRole('log', { name: 'Messages' })
  await heard.getByText('Chat started').waitFor()

  await agent.getByRole('button', { name: 'Accept' }).click()
  const seen = agent.getByRole('log', { name: 'Messages' })
  const write = customer.getByRole('textbox', { name: 'Message' })
  const answer = agent.getByRole('textbox', { name: 'Message' })
  await write.fill('my bicycle squeaks')
  await customer.keyboard.press('Enter')
  await seen.getByText('my bicycle squeaks').waitFor()
  await answer.fill('oil the chain')
  await agent.keyboard.press('Enter')
  await heard.getByText('oil the chain').waitFor()
  // A card is lines where it cannot be shown.
  await agent.getByRole('button', { name: 'Card …' }).click()
  await agent.getByLabel('Words').fill('this one?')
  await agent.getByLabel('Title', { exact: true }).fill('Oil No. 7')
  await agent.getByLabel('Answers').fill('Yes, No')
  await agent.getByRole('dialog').getByRole('button', { name: 'Send' }).click()
  for (const line of ['this one?', 'Oil No. 7', '[Yes]']) await heard.getByText(line).waitFor()
  await seen.getByText('Oil No. 7').waitFor()
  await shot(agent, `${process.env.NAME}-agent-talks`)
  await shot(customer, `${process.env.NAME}-customer-talks`)

  await crash(nodes.length - 1)
  await agent.getByText('Connection lost').waitFor()
  await shot(agent, `${process.env.NAME}-agent-cut`)
  await start(nodes.length - 1)
  await agent.getByText('Connected').waitFor({ timeout: 60_000 })
  await write.fill('it still squeaks')
  await customer.keyboard.press('Enter')
  await seen.getByText('it still squeaks').waitFor()
  await answer.fill('then more oil')
  await agent.keyboard.press('Enter')
  await heard.getByText('then more oil').waitFor()

  // Nothing is missing, nothing is shown twice.
  for (const text of ['my bicycle squeaks', 'oil the chain', 'it still squeaks', 'then more oil']) {
    must(await seen.getByRole('listitem').filter({ hasText: text }).count() === 1, `the agent sees “${text}” once`)
    must(await heard.getByText(text).count() === 1, `the customer sees “${text}” once`)
  }
  await shot(agent, `${process.env.NAME}-agent-again`)
  await shot(customer, `${process.env.NAME}-customer-again`)
}

try {
  for (const index of nodes.keys()) await start(index)
  const held = await browse(talk, { allow: ['Failed to load', 'ERR_CONNECTION', 'WebSocket'] })
  for (const kind of ['ready', 'resume', 'accept', 'send-message', 'hello', 'resumed', 'channel', 'interaction', 'messages', 'reply']) {
    must(held.kinds.has(kind), `no frame ${kind} was held against its document`)
  }
  must(held.answers > 10, `only ${held.answers} answers were held against their document`)
  console.log(`${held.sent} frames sent, ${held.received} received and ${held.answers} answers are as documented`)
  console.log('journey complete')
} finally {
  for (const child of running) child?.kill('SIGKILL')
}
process.exit(0)
