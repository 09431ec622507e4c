import t, { type Test } from 'tap'
import { buildApp, openStorage } from '../helpers/app.ts'
import type { Answer, Browser } from '../helpers/browser.ts'
import { spyStorage } from '../helpers/spy-storage.ts'

const applications = {
  'a plain application': {},
  'an application that coerces types': { ajv: { customOptions: { coerceTypes: true } } },
  'an application that coerces arrays and removes unknown fields': {
    ajv: { customOptions: { coerceTypes: 'array' as const, removeAdditional: 'all' as const, useDefaults: true } }
  }
}

const EMAIL = 'anna@example.com'
const request = '/auth/request-otp'
const verify = '/auth/verify-otp'

/** Values of `code` that do not match the schema. */
const hostileCodes: Record<string, unknown> = {
  'an operator': { $gt: '' },
  'an operator that matches all': { $ne: null },
  'a pattern': { $regex: '.*' },
  'a number': 123456,
  'a list': ['123456'],
  'an empty list': [],
  true: true,
  null: null,
  'an empty text': '',
  'a text that is too long': '1'.repeat(65)
}
const hostileAddresses: Record<string, unknown> = {
  'an operator': { $gt: '' },
  'a list': [EMAIL],
  'a list of two': [EMAIL, 'b@y.io'],
  'a number': 1,
  true: true,
  null: null,
  'an empty text': '',
  'a text that is too long': `${'a'.repeat(320)}@x.io`,
  'a comma list': 'a@x.io,b@y.io',
  'a comma list with a space': 'a@x.io, b@y.io',
  brackets: '<a@x.io>',
  'a display name': 'Anna <a@x.io>',
  'a header': 'a@x.io\r\nBcc: z@y.io',
  'a line feed': 'a@x.io\nz@y.io',
  'a NUL': 'a@x.io\0',
  'another at sign': 'a＠x.io',
  'an encoded domain': 'a@ex%61mple.com',
  'a path': 'a@x.io/..',
  'a number that is an IP': 'a@2130706433',
  'a dot at the end': 'a@x.io.',
  'a zero-width space': 'a\u200Bb@x.io'
}
const unknownFields = { isVerified: true, role: 'admin', is_verified: true, id: 1, refresh_token: 'x', constructor: {}, toString: 'x', $where: '1' }

/** An application whose storage calls and emails are recorded, and a check that an attack had no effect. */
async function watchedApp (t: Test, fastify: object) {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const { app, emails, browser } = await buildApp(t, { storage, fastify })
  calls.length = 0
  function nothingHappened (t: Test, answer: Answer): void {
    t.strictSame({ calls, emails: emails.length, setCookies: answer.setCookies }, { calls: [], emails: 0, setCookies: [] })
    t.equal(answer.headers['cache-control'], 'no-store')
  }
  return { app, browser, calls, nothingHappened }
}

function isValidationError (t: Test, { status, body }: Answer, name: string): void {
  t.strictSame({ status, ...body }, {
    status: 400, statusCode: 400, code: 'FST_ERR_VALIDATION', error: 'Bad Request', message: body.message, detail: body.message
  }, name)
  t.match(body.message, /^body\S* ./, name)
}

const post = (browser: Browser, url: string, payload: string | object, headers: Record<string, string> = {}) =>
  browser.send({ method: 'POST', url, payload, headers: { 'content-type': 'application/json', ...headers } })

for (const [application, fastify] of Object.entries(applications)) {
  t.test(`bodies that do not match the schema never reach storage, in ${application}`, async (t) => {
    const { browser, nothingHappened } = await watchedApp(t, fastify)
    const stranger = browser()
    async function refuses (url: string, body: string | object, name: string): Promise<void> {
      const answer = await post(stranger, url, body)
      isValidationError(t, answer, `${url}: ${name}`)
      nothingHappened(t, answer)
    }
    for (const [name, code] of Object.entries(hostileCodes)) await refuses(verify, { email: EMAIL, code }, `code: ${name}`)
    await refuses(verify, { email: EMAIL }, 'code: missing')
    for (const [name, email] of Object.entries(hostileAddresses)) {
      await refuses(request, { email }, `email: ${name}`)
      await refuses(verify, { email, code: '123456' }, `email: ${name}`)
    }
    for (const value of [{ $gt: '' }, 1, ['x'], true, null, 'x'.repeat(65)]) {
      await refuses(request, { email: EMAIL, request_id: value }, `request_id: ${JSON.stringify(value)}`)
      await refuses(verify, { email: EMAIL, code: '123456', request_id: value }, `request_id: ${JSON.stringify(value)}`)
    }
    for (const [name, value] of Object.entries(unknownFields)) {
      await refuses(request, { email: EMAIL, [name]: value }, name)
      await refuses(verify, { email: EMAIL, code: '123456', [name]: value }, name)
      await refuses('/auth/refresh', { [name]: value }, name)
      await refuses('/auth/logout', { [name]: value }, name)
    }
    for (const body of ['{}', '[]', '[{"email":"anna@example.com","code":"123456"}]', '"anna@example.com"', '1', 'true', 'null', '']) {
      await refuses(request, body, body)
      await refuses(verify, body, body)
    }
  })

  t.test(`the same bodies without the error reach storage, in ${application}`, async (t) => {
    const { browser, calls } = await watchedApp(t, fastify)
    t.equal((await post(browser(), request, { email: EMAIL })).status, 200)
    t.equal((await post(browser(), verify, { email: EMAIL, code: '123456' })).status, 401)
    t.ok(calls.includes('incrementCounter') && calls.includes('hasLiveChallenge'), 'storage was called, and the spy recorded it')
  })
}

t.test('the parser refuses __proto__ and constructor.prototype in a body', async (t) => {
  const { browser, nothingHappened } = await watchedApp(t, {})
  for (const url of [request, verify, '/auth/refresh', '/auth/logout']) {
    for (const field of ['"__proto__":{"isVerified":true}', '"constructor":{"prototype":{"isVerified":true}}']) {
      const answer = await post(browser(), url, `{"email":"${EMAIL}","code":"123456",${field}}`)
      t.match(answer, { status: 400, body: { statusCode: 400, error: 'Bad Request', message: String, detail: String } }, field)
      t.equal(answer.body.detail, answer.body.message)
      nothingHappened(t, answer)
    }
  }
  t.notOk('isVerified' in {}, 'no prototype was changed')
})

t.test('a body that is not JSON is refused', async (t) => {
  const { browser, nothingHappened } = await watchedApp(t, {})
  const json = JSON.stringify({ email: EMAIL })
  const refused: Array<[number, string, string]> = [
    [400, 'application/json', '{"email":'], [400, 'application/json', '{email:"anna@example.com"}'], [400, 'application/json', `${json}${json}`],
    [415, 'text/plain', json], [415, 'application/x-www-form-urlencoded', 'email=anna%40example.com'], [415, 'multipart/form-data; boundary=x', json],
    [415, 'application/jsonx', json], [415, 'text/json', json], [415, 'application/json\ta', json], [413, 'application/json', JSON.stringify({ email: 'a'.repeat(9000) })]
  ]
  for (const [status, type, payload] of refused) {
    const answer = await post(browser(), request, payload, { 'content-type': type })
    t.match(answer, { status, body: { statusCode: status, error: String, message: String, detail: String } }, type)
    nothingHappened(t, answer)
  }
  const typeless = await browser().send({ method: 'POST', url: request, payload: json })
  t.match(typeless, { status: 415, body: { statusCode: 415, detail: String } }, 'no content type')
  nothingHappened(t, typeless)
})

t.test('requests that a browser sends for another site are refused, and those of a page on the same host are not', async (t) => {
  const { browser, nothingHappened, calls } = await watchedApp(t, {})
  const foreign: Array<Record<string, string>> = [
    { origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' },
    { origin: 'http://localhost:80.evil.example' }, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
  ]
  for (const url of [request, verify, '/auth/refresh', '/auth/logout']) {
    for (const headers of foreign) {
      const answer = await post(browser(), url, url === verify ? { email: EMAIL, code: '123456' } : url === request ? { email: EMAIL } : {}, headers)
      const { message } = answer.body
      t.strictSame({ status: answer.status, ...answer.body }, {
        status: 403, statusCode: 403, code: 'OTP_AUTH_CROSS_SITE', error: 'Forbidden', message, detail: message
      }, `${url} ${JSON.stringify(headers)}`)
      nothingHappened(t, answer)
    }
  }
  const own = await post(browser(), request, { email: EMAIL }, { host: 'app.example', origin: 'https://app.example' })
  t.equal(own.status, 200)
  t.ok(calls.includes('incrementCounter'))
})

t.test('other methods get 404', async (t) => {
  const { app, calls } = await watchedApp(t, {})
  for (const url of [request, verify, '/auth/refresh', '/auth/logout']) {
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      const { statusCode, headers } = await app.inject({ method, url, ...(method !== 'GET' && method !== 'HEAD' && { payload: { email: EMAIL } }) })
      t.strictSame([statusCode, headers['set-cookie']], [404, undefined], `${method} ${url}`)
    }
  }
  t.strictSame(calls, [])
})

t.test('a request ID that the server cannot have created is not looked up', async (t) => {
  const { browser, calls } = await watchedApp(t, {})
  await browser().requestOtp(EMAIL)
  for (const id of ['1', 'x'.repeat(21), 'x'.repeat(23), `${'x'.repeat(21)}.`, "' or 1=1 --"]) {
    calls.length = 0
    t.equal((await browser().verifyOtp(EMAIL, '000000', { request_id: id })).status, 401)
    t.notOk(calls.includes('tryCode') || calls.includes('findChallenge'), id)
  }
})

t.test('a validation error says which field is wrong and why, in the words of the schema', async (t) => {
  const { browser } = await watchedApp(t, {})
  const told = async (url: string, body: string | object) => (await post(browser(), url, body)).body.message
  t.equal(await told(verify, { email: EMAIL, code: 123456 }), 'body/code must be a string')
  t.equal(await told(verify, { email: EMAIL }), 'body/code is required')
  t.equal(await told(verify, { email: EMAIL, code: '' }), 'body/code must have at least 1 character')
  t.equal(await told(request, { email: 'a@' }), 'body/email must have at least 3 characters')
  t.equal(await told(request, { email: 'a'.repeat(321) }), 'body/email must have at most 320 characters')
  t.equal(await told(request, { email: EMAIL, role: 'admin' }), 'body/role is not an allowed field')
  t.match(await told(request, '[]'), /^body must be an object$/)
})
