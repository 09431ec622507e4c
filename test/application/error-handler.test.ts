import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { OtpAuthOptions } from '../../src/index.ts'
import { buildApp, wrongCode } from '../helpers/app.ts'

const ANNA = 'anna@example.com'

interface Seen { name: string, code: string, statusCode: number, isError: boolean }

/** An application whose errors have their own shape. */
async function buildWithHandler (t: Test, when: 'before' | 'after', options: Partial<OtpAuthOptions> = {}) {
  const seen: Seen[] = []
  const setHandler = (app: FastifyInstance) => {
    app.setErrorHandler((error: Error & { code: string, statusCode: number }, _request, reply) => {
      const { name, code, statusCode } = error
      seen.push({ name, code, statusCode, isError: error instanceof Error })
      return reply.code(statusCode).send({ problem: code, text: error.message })
    })
  }
  return { seen, ...await buildApp(t, { ...options, [when]: setHandler }) }
}

for (const when of ['before', 'after'] as const) {
  t.test(`an error handler that the application sets ${when} the plugin gets the errors of the routes, and its own shape is sent`, async (t) => {
    const { browser, codeFor, seen } = await buildWithHandler(t, when)
    const anna = browser()
    await anna.requestOtp(ANNA)

    const responses = [
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
      t.match(responses[index], { status, setCookies: { length: 0 }, headers: { 'cache-control': 'no-store' } }, code)
      t.match(responses[index]!.body, { problem: code, text: String }, code)
      t.same(Object.keys(responses[index]!.body), ['problem', 'text'], code)
    }
    t.same(seen.map(({ statusCode, code }) => [statusCode, code]), expected, 'the handler got each error once')
    t.ok(seen.every(({ isError }) => isError))
    t.equal(responses[0]!.headers['retry-after'], '60', 'the header of the error is kept')
  })

  t.test(`an error handler that the application sets ${when} the plugin gets the errors of the guards, and their headers are kept`, async (t) => {
    const { browser, seen } = await buildWithHandler(t, when)
    const none = await browser().get('/me')
    t.match(none, { status: 401, body: { problem: 'OTP_AUTH_UNAUTHENTICATED' }, headers: { 'www-authenticate': 'Bearer' } })
    const bad = await browser().get('/verified', 'bad')
    t.match(bad, { status: 401, body: { problem: 'OTP_AUTH_INVALID_TOKEN' }, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
    t.same(seen.map(({ code }) => code), ['OTP_AUTH_UNAUTHENTICATED', 'OTP_AUTH_INVALID_TOKEN'])
  })

  t.test(`an error handler set ${when} the plugin that passes errors on does not change them`, async (t) => {
    let calls = 0
    const { browser } = await buildApp(t, {
      [when]: (app: FastifyInstance) => {
        app.setErrorHandler((error, _request, reply) => {
          calls++
          return reply.send(error)
        })
      }
    })
    const response = await browser().refresh()
    t.match(response, { status: 401, body: { statusCode: 401, code: 'OTP_AUTH_INVALID_REFRESH_TOKEN', error: 'Unauthorized', detail: /refresh token/ } })
    t.equal(calls, 1)
  })

  t.test(`an asynchronous error handler set ${when} the plugin can throw another error`, async (t) => {
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

t.test('without an error handler, Fastify\'s own handler responds and logs the error once', async (t) => {
  const logged: string[] = []
  const { browser } = await buildApp(t, { fastify: { logger: { level: 'info', stream: { write: (line: string) => { logged.push(line) } } } } })
  t.match(await browser().refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } })
  t.equal(logged.filter((line) => line.includes('"err":{') && line.includes('OTP_AUTH_INVALID_REFRESH_TOKEN')).length, 1)
})

t.test('an error handler of the parent context gets the errors of the routes, even if it is set after the plugin', async (t) => {
  const { browser } = await buildApp(t, {
    after: (app) => {
      app.setErrorHandler((error: Error & { code: string }, _request, reply) => reply.code(418).send({ root: error.code }))
    }
  })
  t.match(await browser().refresh(), { status: 418, body: { root: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } })
})

t.test('a callback of the application that throws any value causes a 500 without a cookie, even if the value is not an Error', async (t) => {
  for (const thrown of ['a text', { details: 'an object' }, undefined, Symbol('symbol')]) {
    const { app, browser, codeFor } = await buildApp(t, { getAdditionalClaims: () => { throw thrown } })
    const anna = browser()
    await anna.requestOtp(ANNA)
    const response = await app.inject({ method: 'POST', url: '/auth/verify-otp', payload: { email: ANNA, code: codeFor(ANNA) } })
    t.match(response, { statusCode: 500, headers: { 'cache-control': 'no-store', 'set-cookie': undefined } }, String(typeof thrown))
  }
})

t.test('a thrown value that is not an Error reaches an error handler set before the plugin unchanged', async (t) => {
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

t.test('headers of an error that a callback of the application throws are not sent', async (t) => {
  const { browser, seen } = await buildWithHandler(t, 'after', {
    isAllowed: () => { throw Object.assign(new Error('upstream'), { statusCode: 502, code: 'UPSTREAM', headers: { 'set-cookie': 'session=1' } }) }
  })
  t.match(await browser().requestOtp(ANNA), { status: 502, setCookies: { length: 0 } })
  t.match(seen, [{ code: 'UPSTREAM' }])
})

t.test('if a hook of the application fails after the handler, no cookie of the plugin is sent, the response must not be stored, and the cookies of the application are kept', async (t) => {
  for (const hook of ['onSend', 'preSerialization'] as const) {
    const { browser, codeFor } = await buildApp(t, {
      before: (app) => {
        app.addHook(hook as 'onSend', async ({ url }, reply, payload) => {
          if (url !== '/auth/verify-otp') return payload
          reply.header('set-cookie', 'application=1')
          throw new Error('a hook failed')
        })
      }
    })
    const anna = browser()
    await anna.requestOtp(ANNA)
    const response = await anna.verifyOtp(ANNA, codeFor(ANNA))
    t.match(response, { status: 500, headers: { 'cache-control': 'no-store' } }, hook)
    t.same([...new Set(response.setCookies)], ['application=1'], hook)
  }
})

t.test('the application\'s error handler learns which rule of the schema a body breaks', async (t) => {
  const keywords: unknown[] = []
  const { app } = await buildApp(t, {
    before: (app) => {
      app.setErrorHandler((error: { validation?: Array<{ keyword: string, instancePath: string }> }, _request, reply) => {
        keywords.push(error.validation?.map(({ keyword, instancePath }) => [keyword, instancePath]))
        reply.code(400).send()
      })
    }
  })
  const email = 'anna@example.com'
  for (const payload of [{ email }, { email, code: '1', other: 1 }, { email, code: '' }, { email, code: 'x'.repeat(65) }, { email, code: 1 }]) {
    await app.inject({ method: 'POST', url: '/auth/verify-otp', payload })
  }
  t.strictSame(keywords.map((list) => (list as unknown[][])[0]), [
    ['required', '/code'], ['additionalProperties', '/other'], ['minLength', '/code'], ['maxLength', '/code'], ['type', '/code']
  ])
})
