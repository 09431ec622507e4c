import type { FastifyInstance, InjectOptions } from 'fastify'
import t from 'tap'
import { buildApp, openStorage } from '../helpers/app.ts'
import { spyStorage } from '../helpers/spy-storage.ts'

const ANNA = 'anna@example.com'
const ROUTES = ['request-otp', 'verify-otp', 'refresh', 'logout'].map((name) => `/auth/${name}`)
const JSON_BODY = JSON.stringify({ email: ANNA, code: '123456' })

/** An application whose parsers turn every body into a forged one. */
function readAnything (app: FastifyInstance) {
  const forged = { email: 'forged@example.com', code: '123456' }
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(['application/x-www-form-urlencoded', 'text/plain'], { parseAs: 'string' }, (_request, _body, done) => done(null, forged))
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, _body, done) => done(null, forged))
  app.addContentTypeParser(/^application\/.*json$/, { parseAs: 'string' }, (_request, _body, done) => done(null, forged))
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, _body, done) => done(null, forged))
}

const setups = {
  'the default parsers': {},
  'parsers that accept anything, set before the plugin': { before: readAnything },
  'parsers that accept anything, set after the plugin': { after: readAnything }
}

/** Requests that are not JSON, and the statuses that they may get. */
const refused: Record<string, { headers: Record<string, string>, payload: string, statuses: number[] }> = {
  'text/plain': { headers: { 'content-type': 'text/plain' }, payload: JSON_BODY, statuses: [415] },
  'a form': { headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: `email=${ANNA}&code=123456`, statuses: [415] },
  'a multipart form': { headers: { 'content-type': 'multipart/form-data; boundary=x' }, payload: '--x--', statuses: [415] },
  'another JSON type': { headers: { 'content-type': 'application/problem+json' }, payload: JSON_BODY, statuses: [415] },
  'no type': { headers: {}, payload: JSON_BODY, statuses: [415] },
  'an empty type': { headers: { 'content-type': '' }, payload: JSON_BODY, statuses: [415] },
  'a type with a tab': { headers: { 'content-type': 'application/json\ta' }, payload: JSON_BODY, statuses: [400, 415] },
  'a list of types': { headers: { 'content-type': 'text/plain, application/json' }, payload: JSON_BODY, statuses: [415] },
  'a parameter that names JSON': { headers: { 'content-type': 'text/plain; a=application/json' }, payload: JSON_BODY, statuses: [415] },
  'broken JSON': { headers: { 'content-type': 'application/json' }, payload: '{"email":', statuses: [400] },
  blanks: { headers: { 'content-type': 'application/json' }, payload: ' ', statuses: [400] },
  'a prototype': { headers: { 'content-type': 'application/json' }, payload: '{"__proto__":{"email":"a@b.io","code":"123456"}}', statuses: [400] },
  'a prototype in a field': { headers: { 'content-type': 'application/json' }, payload: '{"email":{"__proto__":{"a":1}}}', statuses: [400] },
  'a constructor': { headers: { 'content-type': 'application/json' }, payload: '{"constructor":{"prototype":{"a":1}}}', statuses: [400] },
  'too many bytes': {
    headers: { 'content-type': 'application/json' }, payload: JSON.stringify({ email: ANNA, code: 'x'.repeat(9000) }), statuses: [413]
  }
}

for (const [kind, setup] of Object.entries(setups)) {
  t.test(`with ${kind}, the plugin's routes accept only JSON`, async (t) => {
    const { storage: real } = openStorage(t)
    const { storage, calls } = spyStorage(real)
    const { app, emails } = await buildApp(t, { ...setup, storage })
    calls.length = 0
    for (const url of ROUTES) {
      for (const [label, { headers, payload, statuses }] of Object.entries(refused)) {
        const response = await app.inject({ method: 'POST', url, headers, payload })
        t.ok(statuses.includes(response.statusCode), `${label} at ${url}: ${response.statusCode}`)
        t.match(response.headers, { 'cache-control': 'no-store', 'set-cookie': undefined }, label)
        const body = response.json()
        t.match(body, { statusCode: response.statusCode, error: String, message: String }, label)
        t.equal(body.detail, body.message, label)
      }
    }
    t.same(calls, [])
    t.same(emails, [])
  })

  t.test(`with ${kind}, a JSON content type is accepted with parameters and in any letter case`, async (t) => {
    const { app, emails } = await buildApp(t, { ...setup })
    for (const [index, type] of ['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON;charset=UTF-8'].entries()) {
      const email = `anna${index}@example.com`
      const response = await app.inject({
        method: 'POST', url: '/auth/request-otp', headers: { 'content-type': type }, payload: JSON.stringify({ email })
      })
      t.match(response, { statusCode: 200 }, type)
    }
    t.same(emails.map(({ email }) => email), ['anna0@example.com', 'anna1@example.com', 'anna2@example.com'])
  })

  t.test(`with ${kind}, an empty body counts as no body, with or without a content type`, async (t) => {
    const { browser, codeFor, clock } = await buildApp(t, { ...setup })
    const empty: Record<string, Pick<InjectOptions, 'headers' | 'payload'>> = {
      'nothing at all': {},
      'no body, typed JSON': { headers: { 'content-type': 'application/json' } },
      'a body of no bytes, typed JSON': { headers: { 'content-type': 'application/json', 'content-length': '0' }, payload: '' },
      'with a charset': { headers: { 'content-type': 'application/json; charset=utf-8', 'content-length': '0' }, payload: '' },
      null: { headers: { 'content-type': 'application/json' }, payload: 'null' },
      'an empty object': { headers: { 'content-type': 'application/json' }, payload: '{}' }
    }
    const anna = browser()
    await anna.login(ANNA, codeFor)
    for (const [label, request] of Object.entries(empty)) {
      clock.advance(31)
      t.match(await anna.send({ method: 'POST', url: '/auth/refresh', ...request }), { status: 200 }, label)
    }
    for (const [label, request] of Object.entries(empty)) {
      t.match(await browser().send({ method: 'POST', url: '/auth/logout', ...request }), { status: 200 }, label)
      for (const url of ['/auth/request-otp', '/auth/verify-otp']) {
        t.match(await browser().send({ method: 'POST', url, ...request }), { status: 400, body: { code: 'FST_ERR_VALIDATION' } }, label)
      }
    }
  })
}

t.test('bodies that come over a real socket work, chunked and empty ones, too', async (t) => {
  const { app } = await buildApp(t)
  const base = await app.listen({ host: '127.0.0.1', port: 0 })
  const post = (url: string, init: RequestInit) => fetch(base + url, { method: 'POST', ...init })
  const typed = { 'content-type': 'application/json' }
  const responses = [
    await post('/auth/logout', { headers: typed }),
    await post('/auth/logout', { headers: typed, body: '' }),
    await post('/auth/request-otp', { headers: typed, body: new Blob([JSON.stringify({ email: ANNA })]).stream(), duplex: 'half' } as RequestInit)
  ]
  t.same(responses.map(({ status }) => status), [200, 200, 200])
})

t.test('methods other than POST have no route', async (t) => {
  const { app } = await buildApp(t)
  for (const url of ROUTES) {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD'] as const) t.match(await app.inject({ method, url }), { statusCode: 404 }, `${method} ${url}`)
  }
})
