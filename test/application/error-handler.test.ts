import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { OtpAuthOptions } from '../../src/index.ts'
import { buildApp, wrongCode } from '../helpers/app.ts'

const ANNA = 'anna@example.com'

interface Seen { name: string, code: string, statusCode: number, isError: boolean }

/** A host whose errors have a shape of their own. */
async function buildWithHandler (t: Test, when: 'before' | 'after', options: Partial<OtpAuthOptions> = {}) {
  const seen: Seen[] = []
  const setHandler = (app: FastifyInstance) => {
    app.setErrorHandler((error: Error & { code: string, statusCode: number }, _request, reply) => {
      const { name, code, statusCode } = error
      seen.push({ name, code, statusCode, isError: error instanceof Error })
      return reply.code(statusCode).send({ problem: code, said: error.message })
    })
  }
  return { seen, ...await buildApp(t, { ...options, [when]: setHandler }) }
}

for (const when of ['before', 'after'] as const) {
  t.test(`an error handler of the host set ${when} our registration sees our routes' errors and its own shape goes out`, async (t) => {
    const { browser, codeFor, seen } = await buildWithHandler(t, when)
    const anna = browser()
    await anna.requestOtp(ANNA)

    const answers = [
      await anna.requestOtp(ANNA),
      await anna.verifyOtp(ANNA, wrongCode(codeFor(ANNA))),
      await anna.refresh(),
      await anna.requestOtp('no address'),
      await anna.post('/auth/verify-otp', { email: ANNA }),
      await anna.post('/auth/logout', {}, { origin: 'https://evil.example' }),
      await anna.post('/auth/logout', 'a=1', { 'content-type': 'text/plain' }),
      await anna.post('/auth/logout', '{', { 'content-type': 'application/json' }),
      await anna.post('/auth/request-otp', { email: 'x'.repeat(9000) })
    ]
    const expected = [
      [429, 'OTP_AUTH_TOO_MANY_REQUESTS'], [401, 'OTP_AUTH_INVALID_CODE'], [401, 'OTP_AUTH_INVALID_REFRESH_TOKEN'],
      [400, 'FST_ERR_VALIDATION'], [400, 'FST_ERR_VALIDATION'], [403, 'OTP_AUTH_CROSS_SITE'],
      [415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE'], [400, 'FST_ERR_CTP_INVALID_JSON_BODY'], [413, 'FST_ERR_CTP_BODY_TOO_LARGE']
    ] as const
    for (const [index, [status, code]] of expected.entries()) {
      t.match(answers[index], { status, setCookies: { length: 0 }, headers: { 'cache-control': 'no-store' } }, code)
      t.match(answers[index]!.body, { problem: code, said: String }, code)
      t.same(Object.keys(answers[index]!.body), ['problem', 'said'], code)
    }
    t.same(seen.map(({ statusCode, code }) => [statusCode, code]), expected, 'each error was seen once')
    t.ok(seen.every(({ isError }) => isError))
    t.equal(answers[0]!.headers['retry-after'], '60', 'the header of our error is still there')
  })

  t.test(`an error handler of the host set ${when} our registration sees our guards' errors, their headers stay`, async (t) => {
    const { browser, seen } = await buildWithHandler(t, when)
    const none = await browser().get('/me')
    t.match(none, { status: 401, body: { problem: 'OTP_AUTH_UNAUTHENTICATED' }, headers: { 'www-authenticate': 'Bearer' } })
    const bad = await browser().get('/verified', 'bad')
    t.match(bad, { status: 401, body: { problem: 'OTP_AUTH_INVALID_TOKEN' }, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
    t.same(seen.map(({ code }) => code), ['OTP_AUTH_UNAUTHENTICATED', 'OTP_AUTH_INVALID_TOKEN'])
  })

  t.test(`a handler set ${when} ours that passes errors on leaves them as they are`, async (t) => {
    let calls = 0
    const { browser } = await buildApp(t, {
      [when]: (app: FastifyInstance) => {
        app.setErrorHandler((error, _request, reply) => {
          calls++
          return reply.send(error)
        })
      }
    })
    const answer = await browser().refresh()
    t.match(answer, { status: 401, body: { statusCode: 401, code: 'OTP_AUTH_INVALID_REFRESH_TOKEN', error: 'Unauthorized', detail: /refresh token/ } })
    t.equal(calls, 1)
  })

  t.test(`an asynchronous handler set ${when} ours may throw another error`, async (t) => {
    const { browser } = await buildApp(t, {
      [when]: (app: FastifyInstance) => {
        app.setErrorHandler(async (error: Error) => {
          throw Object.assign(new Error('replaced', { cause: error }), { statusCode: 418 })
        })
      }
    })
    t.match(await browser().refresh(), { status: 418, body: { message: 'replaced' } })
  })
}

t.test('without one, Fastify\'s own handler answers, and logs what it always logs', async (t) => {
  const logged: string[] = []
  const { browser } = await buildApp(t, { fastify: { logger: { level: 'info', stream: { write: (line: string) => { logged.push(line) } } } } })
  t.match(await browser().refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } })
  t.equal(logged.filter((line) => line.includes('"err":{') && line.includes('OTP_AUTH_INVALID_REFRESH_TOKEN')).length, 1)
})

t.test('a handler of a parent context is seen where ours is in a child, whenever it was set', async (t) => {
  const { browser } = await buildApp(t, {
    after: (app) => {
      app.setErrorHandler((error: Error & { code: string }, _request, reply) => reply.code(418).send({ root: error.code }))
    }
  })
  t.match(await browser().refresh(), { status: 418, body: { root: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } })
})

t.test('what a callback of the host throws is an error, also where it is no Error', async (t) => {
  for (const thrown of ['a text', { details: 'an object' }, undefined, Symbol('symbol')]) {
    const { app, browser, codeFor } = await buildApp(t, { getAdditionalClaims: () => { throw thrown } })
    const anna = browser()
    await anna.requestOtp(ANNA)
    const answer = await app.inject({ method: 'POST', url: '/auth/verify-otp', payload: { email: ANNA, code: codeFor(ANNA) } })
    t.match(answer, { statusCode: 500, headers: { 'cache-control': 'no-store', 'set-cookie': undefined } }, String(typeof thrown))
  }
})

t.test('what is no Error reaches a handler that the host set before our registration, as it was thrown', async (t) => {
  const all = ['a text', null, undefined]
  const seen: unknown[] = []
  for (const thrown of all) {
    const { browser } = await buildApp(t, {
      isAllowed: () => { throw thrown },
      before: (app) => { app.setErrorHandler((error, _request, reply) => { seen.push(error); reply.code(502).send({ problem: true }) }) }
    })
    t.match(await browser().requestOtp(ANNA), { status: 502, body: { problem: true } })
  }
  t.same(seen, all)
})

t.test('headers of an error that a callback of the host threw are not ours to send', async (t) => {
  const { browser, seen } = await buildWithHandler(t, 'after', {
    isAllowed: () => { throw Object.assign(new Error('upstream'), { statusCode: 502, code: 'UPSTREAM', headers: { 'set-cookie': 'session=1' } }) }
  })
  t.match(await browser().requestOtp(ANNA), { status: 502, setCookies: { length: 0 } })
  t.match(seen, [{ code: 'UPSTREAM' }])
})

t.test('a hook of the host that fails on the way out: no cookie of ours, nothing to store, and the host\'s cookies stay', async (t) => {
  for (const hook of ['onSend', 'preSerialization'] as const) {
    const { browser, codeFor } = await buildApp(t, {
      before: (app) => {
        app.addHook(hook as 'onSend', async ({ url }, reply, payload) => {
          if (url !== '/auth/verify-otp') return payload
          reply.header('set-cookie', 'host=1')
          throw new Error('a hook failed')
        })
      }
    })
    const anna = browser()
    await anna.requestOtp(ANNA)
    const answer = await anna.verifyOtp(ANNA, codeFor(ANNA))
    t.match(answer, { status: 500, headers: { 'cache-control': 'no-store' } }, hook)
    t.same([...new Set(answer.setCookies)], ['host=1'], hook)
  }
})
