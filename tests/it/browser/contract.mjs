// Holds what pages and the service really say to each other against the documents the service publishes: every frame of the agent
// stream, both ways, and every answer of the HTTP interfaces. A field that is not documented is a fault like one that is missing.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'

const load = createRequire(path.join(process.env.NODE_MODULES, 'x.js'))
const Ajv = load('ajv/dist/2020.js').default
const { parse } = load('yaml')

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const ajv = new Ajv({ strict: false, validateSchema: false, allErrors: true, formats: { uuid: UUID } })
ajv.opts.validateFormats = true
for (const format of ['binary', 'uri', 'uri-reference', 'email', 'int64', 'byte', 'password']) ajv.addFormat(format, true)
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/)

// Schemas are read strictly: what they do not name is not there. Parts of a composed schema are left open, the whole is not.
function strict (node, part = false) {
  if (Array.isArray(node)) return node.forEach(one => strict(one, part))
  if (node === null || typeof node !== 'object') return
  for (const [key, value] of Object.entries(node)) strict(value, ['allOf', 'oneOf', 'anyOf'].includes(key))
  const names = node.properties !== undefined || node.allOf !== undefined
  if (!part && names && node.additionalProperties === undefined) node.unevaluatedProperties ??= false
}

// The schemas that others are composed of.
function parts (node, found = new Set()) {
  if (node === null || typeof node !== 'object') return found
  for (const key of ['allOf', 'oneOf', 'anyOf']) {
    for (const one of node[key] ?? []) if (one.$ref) found.add(one.$ref)
  }
  for (const value of Object.values(node)) parts(value, found)
  return found
}

function read (name) {
  const document = parse(readFileSync(path.join(process.env.DOCS, `${name}.yaml`), 'utf8'))
  const composed = parts(document)
  strict(document)
  for (const ref of composed) delete at(document, ref).unevaluatedProperties
  ajv.addSchema({ ...document, $id: name })
  return document
}

function at (document, ref) {
  return ref.split('/').slice(1).reduce((node, key) => node[key.replaceAll('~1', '/').replaceAll('~0', '~')], document)
}

const stream = read('asyncapi')
const http = read('openapi')
const validators = new Map()

function faults (pointer, value) {
  if (!validators.has(pointer)) validators.set(pointer, ajv.compile({ $ref: pointer }))
  const validate = validators.get(pointer)
  return validate(value) ? [] : validate.errors.map(error => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`)
}

const templates = Object.keys(http.paths).map(template => {
  const base = template.startsWith('/admin') ? '' : '/nexus/v3'
  const literal = template.split(/\{[^}]+\}/).map(text => text.replace(/[.*+?^$()|[\]\\]/g, '\\$&'))
  return { template, holes: literal.length - 1, matches: new RegExp(`^${base}${literal.join('[^/]+')}$`) }
  // Of two that match, the one with fewer holes is meant.
}).sort((one, other) => one.holes - other.holes)

const slash = text => text.replaceAll('~', '~0').replaceAll('/', '~1')

// What is wrong with an answer; `undefined` where it is none of ours.
function answered (method, url, status, type, body) {
  const plain = new URL(url).pathname.replace(/^\/chat\/v3\//, '/nexus/v3/chat/')
  if (!/^\/(nexus\/v3|admin\/ux\/(api|loadplugin))/.test(plain) || method === 'OPTIONS') return undefined
  const found = templates.find(({ matches }) => matches.test(plain))
  const operation = found && http.paths[found.template][method.toLowerCase()]
  if (!operation) return [`${method} ${plain} is not documented`]
  const key = operation.responses[status] ? String(status) : 'default'
  let pointer = `#/paths/${slash(found.template)}/${method.toLowerCase()}/responses/${key}`
  let response = operation.responses[key]
  if (!response) return [`the status ${status} is not documented`]
  if (response.$ref) {
    pointer = response.$ref
    response = at(http, pointer)
  }
  const documented = Object.keys(response.content ?? {})
  if (documented.length === 0) return body.length === 0 ? [] : ['a body is not documented']
  if (!documented.includes(type)) return [`the type ${type} is not documented`]
  if (type !== 'application/json' || !response.content[type].schema) return []
  return faults(`openapi${pointer}/content/application~1json/schema`, JSON.parse(body))
}

// What is wrong with a frame.
function said (name, text) {
  const frame = JSON.parse(text)
  const kind = frame[name]
  if (!stream.components.messages[kind]) return [`${name} ${kind} is not documented`]
  return faults(`asyncapi#/components/messages/${kind}/payload`, frame)
}

// How much was held against the documents so far.
export const held = { sent: 0, received: 0, answers: 0, kinds: new Set() }

// Watches a page for as long as it is open; `complain` is told what is wrong.
export function watch (page, complain) {
  const tell = (what, wrong, text) => {
    for (const one of wrong) complain(`${what} is not as documented: ${one}\n  ${String(text).slice(0, 600)}`)
  }
  // What is thrown where nobody listens would end the journey without a word.
  const carefully = (what, act) => {
    try {
      act()
    } catch (error) {
      complain(`${what} could not be held against its document: ${error.message}`)
    }
  }
  const frame = (name, count) => ({ payload }) => carefully('a frame', () => {
    held[count]++
    const kind = JSON.parse(payload)[name]
    held.kinds.add(kind)
    tell(`the frame ${kind}`, said(name, payload), payload)
  })
  page.on('websocket', socket => {
    if (!new URL(socket.url()).pathname.endsWith('/agentstream')) return
    socket.on('framesent', frame('cmd', 'sent'))
    socket.on('framereceived', frame('event', 'received'))
  })
  page.on('response', async response => {
    // A page that was left, or a connection that was cut, has no body to give.
    const body = await response.body().catch(() => undefined)
    if (body === undefined) return
    const type = (response.headers()['content-type'] ?? '').split(';')[0]
    const method = response.request().method()
    carefully(`${method} ${response.url()}`, () => {
      const wrong = answered(method, response.url(), response.status(), type, body)
      if (wrong === undefined) return
      held.answers++
      tell(`the answer ${response.status()} of ${method} ${new URL(response.url()).pathname}`, wrong, body)
    })
  })
}
