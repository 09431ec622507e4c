import t, { type Test } from 'tap'
import type { OtpAuthOptions } from '../../src/index.ts'
import { buildApp, openStorage } from '../helpers/app.ts'
import { spyStorage } from '../helpers/spy-storage.ts'

const ANNA = 'anna@example.com'
const HOST = 'app.example'
const TRUSTED = 'https://spa.example'

async function build (t: Test, options: Partial<OtpAuthOptions> = {}) {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  return { calls, ...await buildApp(t, { storage, ...options }) }
}

/** In the order of the rules: trusted origins, Sec-Fetch-Site, the comparison of the hosts, neither header. */
const refused: Record<string, Record<string, string>> = {
  'a foreign origin': { origin: 'https://evil.example' },
  'a foreign origin on another port': { origin: `https://${HOST}:8443` },
  'a subdomain': { origin: `https://evil.${HOST}` },
  'a domain that begins with this host name': { origin: `https://${HOST}.evil.example` },
  'the opaque origin': { origin: 'null' },
  'an empty origin': { origin: '' },
  'an origin without a scheme': { origin: 'app.example' },
  'two origins': { origin: `https://${HOST} https://evil.example` },
  'Sec-Fetch-Site: cross-site': { 'sec-fetch-site': 'cross-site' },
  'Sec-Fetch-Site: same-site': { 'sec-fetch-site': 'same-site' },
  'Sec-Fetch-Site: cross-site with the own origin': { 'sec-fetch-site': 'cross-site', origin: `https://${HOST}` },
  'Sec-Fetch-Site: same-site with a subdomain': { 'sec-fetch-site': 'same-site', origin: `https://evil.${HOST}` },
  'an unknown Sec-Fetch-Site': { 'sec-fetch-site': 'fenced-frame' },
  'an empty Sec-Fetch-Site': { 'sec-fetch-site': '' },
  'Sec-Fetch-Site in another letter case': { 'sec-fetch-site': 'Same-Origin' },
  'a trusted origin over http': { origin: 'http://spa.example' },
  'a trusted origin with a slash': { origin: `${TRUSTED}/` },
  'the opaque origin with cross-site': { origin: 'null', 'sec-fetch-site': 'cross-site' }
}

const admitted: Record<string, Record<string, string>> = {
  'neither header': {},
  'the own origin': { origin: `https://${HOST}` },
  'the own origin over http': { origin: `http://${HOST}` },
  'the own origin with its default port': { origin: `https://${HOST}:443` },
  'Sec-Fetch-Site: same-origin': { 'sec-fetch-site': 'same-origin' },
  'Sec-Fetch-Site: none': { 'sec-fetch-site': 'none' },
  'same-origin behind a proxy that rewrote Host': { 'sec-fetch-site': 'same-origin', origin: 'https://public.example', host: 'backend:3000' },
  'a trusted origin': { origin: TRUSTED },
  'a trusted origin that the browser calls cross-site': { origin: TRUSTED, 'sec-fetch-site': 'cross-site' },
  'a trusted origin that the browser calls same-site': { origin: TRUSTED, 'sec-fetch-site': 'same-site' },
  'Sec-Fetch-Mode alone, as Node\'s fetch sends it': { 'sec-fetch-mode': 'cors' }
}

t.test('requests from another site are refused on all four routes, with no side effect and no cookie', async (t) => {
  const { browser, codeFor, calls, emails, app } = await build(t, { trustedOrigins: [TRUSTED] })
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  await anna.requestOtp(ANNA)
  const cookies = new Map(anna.cookies)
  const before = emails.length
  calls.length = 0
  const bodies = {
    '/auth/request-otp': { email: 'victim@example.com' },
    '/auth/verify-otp': { email: ANNA, code: codeFor(ANNA) },
    '/auth/refresh': {},
    '/auth/logout': {}
  }
  for (const [label, headers] of Object.entries(refused)) {
    for (const [url, body] of Object.entries(bodies)) {
      const response = await anna.post(url, body, { host: HOST, authorization: `Bearer ${token}`, ...headers })
      t.match(response, {
        status: 403,
        body: { statusCode: 403, code: 'OTP_AUTH_CROSS_SITE', error: 'Forbidden' },
        headers: { 'cache-control': 'no-store' },
        setCookies: { length: 0 }
      }, `${label} at ${url}`)
    }
  }
  t.same(calls, [], 'storage was not called')
  t.equal(emails.length, before, 'no email was sent')
  t.same(anna.cookies, cookies)
  t.match(await anna.get('/me', token), { status: 200 }, 'nobody was logged out')

  // The body is not read before this check, so its errors are not reported.
  for (const payload of ['{', '{"email":1}', 'x'.repeat(9000)]) {
    const response = await app.inject({
      method: 'POST', url: '/auth/request-otp', payload, headers: { 'content-type': 'application/json', origin: 'https://evil.example' }
    })
    t.match(response, { statusCode: 403 })
  }
})

t.test('requests from the application\'s own pages, trusted origins, servers and phones are accepted on all four routes', async (t) => {
  for (const [label, headers] of Object.entries(admitted)) {
    const { browser, codeFor } = await build(t, { trustedOrigins: ['https://other.example', TRUSTED] })
    const anna = browser()
    const post = (url: string, body = {}) => anna.post(`/auth${url}`, body, { host: HOST, ...headers })
    t.match(await post('/request-otp', { email: ANNA }), { status: 200 }, label)
    t.match(await post('/verify-otp', { email: ANNA, code: codeFor(ANNA) }), { status: 200 }, label)
    t.match(await post('/refresh'), { status: 200 }, label)
    t.match(await post('/logout'), { status: 200 }, label)
  }
})

t.test('an origin with the host name but another port is refused', async (t) => {
  const { browser } = await build(t)
  const logout = (host: string, origin: string) => browser().post('/auth/logout', {}, { host, origin })
  t.match(await logout('localhost:3000', 'http://localhost:3000'), { status: 200 })
  t.match(await logout('localhost:3000', 'http://localhost:5173'), { status: 403 })
  t.match(await logout('localhost:3000', 'http://localhost'), { status: 403 })
  t.match(await logout('[::1]:3000', 'http://[::1]:3000'), { status: 200 })
})

t.test('without trustedOrigins, no other origin is accepted, with or without Sec-Fetch-Site', async (t) => {
  const { browser } = await build(t)
  t.match(await browser().post('/auth/logout', {}, { origin: TRUSTED, 'sec-fetch-site': 'cross-site' }), { status: 403 })
  t.match(await browser().post('/auth/logout', {}, { origin: TRUSTED }), { status: 403 })
})

t.test('X-Forwarded-Host is accepted as the host only from a trusted proxy', async (t) => {
  const headers = { host: 'backend:3000', origin: `https://${HOST}`, 'x-forwarded-host': HOST }
  const trusting = await build(t, { fastify: { trustProxy: true } } as object)
  t.match(await trusting.browser().post('/auth/logout', {}, headers), { status: 200 })
  const plain = await build(t)
  t.match(await plain.browser().post('/auth/logout', {}, headers), { status: 403 })
})

t.test('Node\'s own fetch, which sends Sec-Fetch-Mode, works over a real socket', async (t) => {
  let mode: unknown
  const { app, codeFor } = await build(t, {
    routes: { requestOtp: { onRequest: async (request) => { mode = request.headers['sec-fetch-mode'] } } }
  })
  const base = await app.listen({ host: '127.0.0.1', port: 0 })
  const post = (url: string, body: object) =>
    fetch(`${base}/auth${url}`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  t.equal((await post('/request-otp', { email: ANNA })).status, 200)
  t.equal(mode, 'cors')
  const verified = await post('/verify-otp', { email: ANNA, code: codeFor(ANNA) })
  t.equal(verified.status, 200)
  t.equal((await post('/logout', {})).status, 200)
})

t.test('trustedOrigins that are not origins are refused at boot', async (t) => {
  for (const trustedOrigins of ['https://a.example', ['https://a.example/'], ['a.example'], ['*'], ['null'], ['https://a.example/x'], [1]]) {
    await t.rejects(build(t, { trustedOrigins: trustedOrigins as string[] }), { code: 'OTP_AUTH_INVALID_OPTION', message: /trustedOrigins/ })
  }
})
