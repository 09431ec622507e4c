import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import t from 'tap'
import { buildApp, openStorage } from '../helpers/app.ts'
import { spyStorage } from '../helpers/spy-storage.ts'

const ANNA = 'anna@example.com'

interface Setup { fastify?: FastifyServerOptions, before?: (app: FastifyInstance) => void, after?: (app: FastifyInstance) => void }

const acceptAll = (app: FastifyInstance) => { app.setValidatorCompiler(() => (value) => ({ value })) }
const refuseAll = (app: FastifyInstance) => { app.setValidatorCompiler(() => () => false) }
const knowsNoSchema = (app: FastifyInstance) => {
  app.setValidatorCompiler(() => { throw new Error('this compiler does not know the schema') })
}
const serializeByJson = (app: FastifyInstance) => { app.setSerializerCompiler(() => (data) => JSON.stringify(data)) }
const serializeNothing = (app: FastifyInstance) => { app.setSerializerCompiler(() => { throw new Error('no such schema') }) }

const addSchema = (app: FastifyInstance) => { app.addSchema({ $id: 'later', type: 'object', properties: {} }) }

const setups: Record<string, Setup> = {
  'the default compilers': {},
  'type coercion and removal of unknown fields': {
    fastify: { ajv: { customOptions: { coerceTypes: 'array', removeAdditional: 'all', useDefaults: true } } }
  },
  'a validator that accepts everything, set before the plugin': { before: acceptAll },
  'a validator that accepts everything, set after the plugin': { after: acceptAll },
  'a validator that refuses everything': { before: refuseAll },
  'a validator that does not know the schemas of the plugin': { before: knowsNoSchema },
  'JSON.stringify as serializer, set before the plugin': { before: serializeByJson },
  'JSON.stringify as serializer, set after the plugin': { after: serializeByJson },
  'a serializer that does not know the schemas of the plugin': { before: serializeNothing },
  'a schema added after the plugin, for which Fastify creates new compilers': { after: addSchema },
  'a schema added after the plugin and a compiler that would coerce types': {
    fastify: { ajv: { customOptions: { strict: false, coerceTypes: 'array', removeAdditional: 'all' } } }, after: addSchema
  }
}

const wrongVerifies: Record<string, unknown> = {
  'an operator as code': { email: ANNA, code: { $gt: '' } },
  'a number as code': { email: ANNA, code: 123456 },
  'an array as code': { email: ANNA, code: ['123456'] },
  'true as code': { email: ANNA, code: true },
  'null as code': { email: ANNA, code: null },
  'no code': { email: ANNA },
  'an empty code': { email: ANNA, code: '' },
  'an operator as email': { email: { $ne: null }, code: '123456' },
  'an array as email': { email: [ANNA], code: '123456' },
  'a number as request ID': { email: ANNA, code: '123456', request_id: 1 },
  'null as request ID': { email: ANNA, code: '123456', request_id: null },
  'a field of the user': { email: ANNA, code: '123456', isVerified: true },
  'a role': { email: ANNA, code: '123456', role: 'admin' },
  'an array': [{ email: ANNA, code: '123456' }],
  'a text': '"anna"',
  'a number': '7'
}

for (const [kind, setup] of Object.entries(setups)) {
  t.test(`with ${kind}, the bodies of the plugin's routes are checked strictly and its errors are complete`, async (t) => {
    const { storage: real } = openStorage(t)
    const { storage, calls } = spyStorage(real)
    const { browser, codeFor } = await buildApp(t, { ...setup, storage })
    const anna = browser()
    calls.length = 0

    for (const [label, body] of Object.entries(wrongVerifies)) {
      const response = await anna.post('/auth/verify-otp', body, { 'content-type': 'application/json' })
      t.match(response, { status: 400, setCookies: { length: 0 }, headers: { 'cache-control': 'no-store' } }, label)
      t.match(response.body, { statusCode: 400, code: 'FST_ERR_VALIDATION', error: 'Bad Request', message: /^body/ }, label)
      t.equal(response.body.detail, response.body.message, label)
    }
    for (const body of [{}, { email: [ANNA] }, { email: 1 }, { email: true }, { email: ANNA, extra: 1 }]) {
      t.match(await anna.post('/auth/request-otp', body), { status: 400, body: { code: 'FST_ERR_VALIDATION' } })
    }
    for (const url of ['/auth/refresh', '/auth/logout']) t.match(await anna.post(url, { refresh_token: 'x' }), { status: 400 })
    t.same(calls, [], 'storage was not called')

    const requested = await anna.requestOtp(ANNA)
    t.same(Object.keys(requested.body).sort(), ['code_length', 'expires_in', 'message', 'request_id', 'resend_after'])
    const tooSoon = await anna.requestOtp(ANNA)
    t.same(tooSoon.body, {
      statusCode: 429,
      code: 'OTP_AUTH_TOO_MANY_REQUESTS',
      error: 'Too Many Requests',
      message: 'Too many requests. Try again in 60 seconds',
      detail: 'Too many requests. Try again in 60 seconds',
      retryAfter: 60
    })
    t.equal(tooSoon.headers['retry-after'], '60')
    const wrong = await anna.verifyOtp(ANNA, codeFor(ANNA).split('').reverse().join('') + '0')
    t.same(wrong.body, {
      statusCode: 401,
      code: 'OTP_AUTH_INVALID_CODE',
      error: 'Unauthorized',
      message: 'The code is wrong or no longer valid',
      detail: 'The code is wrong or no longer valid',
      attemptsRemaining: 5
    })
    const verified = await anna.verifyOtp(ANNA, codeFor(ANNA))
    t.same(Object.keys(verified.body).sort(), ['access_token', 'expires_in', 'token_type'])
  })
}

t.test('the compilers of the application still serve the routes of the application', async (t) => {
  const { app } = await buildApp(t, {
    fastify: { ajv: { customOptions: { coerceTypes: true } } },
    after: (app) => {
      app.post('/own', { schema: { body: { type: 'object', properties: { n: { type: 'integer' } } } } }, async (request) => request.body)
      app.post('/form', async (request) => ({ body: request.body ?? 'none' }))
    }
  })
  t.same((await app.inject({ method: 'POST', url: '/own', payload: { n: '7' } })).json(), { n: 7 })
  t.same((await app.inject({ method: 'POST', url: '/form', payload: 'hello', headers: { 'content-type': 'text/plain' } })).json(), { body: 'hello' })
  const emptyJson = await app.inject({ method: 'POST', url: '/form', headers: { 'content-type': 'application/json', 'content-length': '0' } })
  t.match(emptyJson, { statusCode: 400 }, 'the parser and hooks of the plugin do not apply to them')
})

t.test('a schema controller of the application is not used for the plugin\'s routes', async (t) => {
  const fail = () => { throw new Error('not for our routes') }
  const { browser, codeFor } = await buildApp(t, {
    fastify: { schemaController: { compilersFactory: { buildValidator: () => fail, buildSerializer: () => fail } } }
  })
  t.ok(await browser().login(ANNA, codeFor))
})
