import type { FastifyInstance } from 'fastify'
import t from 'tap'
import otpAuth from '../../src/index.ts'
import Fastify from 'fastify'
import { buildApp, openStorage } from '../helpers/app.ts'
import { spyStorage } from '../helpers/spy-storage.ts'
import { SHARED_SECRET } from '../helpers/instances.ts'

const ANNA = 'anna@example.com'
const NO_CREDENTIALS = { status: 401, body: { statusCode: 401, code: 'OTP_AUTH_UNAUTHENTICATED', error: 'Unauthorized' }, headers: { 'www-authenticate': 'Bearer' } }
const BAD_TOKEN = {
  status: 401,
  body: { statusCode: 401, code: 'OTP_AUTH_INVALID_TOKEN', error: 'Unauthorized' },
  headers: { 'www-authenticate': 'Bearer error="invalid_token"' }
}

/** Guards as hooks of every kind. Each route responds with the values that the guards set on the request. */
function addGuarded (app: FastifyInstance) {
  const { authenticate, authenticateOptional, requireVerified, customClaims } = app
  const respond = async (request: { user?: unknown, customClaims?: unknown, otpAuth: unknown }) =>
    ({ user: request.user ?? null, claims: request.customClaims ?? null, otpAuth: request.otpAuth })
  app.get('/on-request', { onRequest: [authenticate] }, respond)
  app.get('/pre-handler', { preHandler: [authenticate] }, respond)
  app.get('/alone', { onRequest: authenticate }, respond)
  app.get('/verified-on-request', { onRequest: [requireVerified] }, respond)
  app.get('/several', { onRequest: [authenticate, requireVerified], preHandler: [requireVerified, customClaims] }, respond)
  app.get('/optional', { onRequest: [authenticateOptional] }, respond)
  app.get('/optional-verified', { onRequest: [authenticateOptional], preHandler: [requireVerified] }, respond)
  app.get('/claims', { preHandler: [customClaims] }, respond)
  app.register(async (context) => {
    context.addHook('onRequest', app.authenticate)
    context.get('/by-hook', respond)
  })
}

const GUARDED = ['/on-request', '/pre-handler', '/alone', '/verified-on-request', '/several', '/optional-verified', '/claims', '/by-hook', '/me']

/** Headers without a bearer token, and headers with a malformed one. */
const otherSchemes = ['', 'Basic x', 'Basic YTpi', '%%%', 'Bearerx y', 'Token Bearer x', 'Bearer-x', '\tBearer']
const malformed = ['Bearer', 'Bearer ', 'bearer  a b', 'Bearer  a b', 'BEARER .', 'Bearer ..', 'Bearer a.b.c', 'Bearer %%%', 'Bearer null', 'Bearer a b',
  'Bearer a.b', 'Bearer a.b.c.d', 'Bearer e30.e30.e30', 'Bearer bnVsbA.bnVsbA.bnVsbA', 'Bearer "x"', `Bearer ${'a'.repeat(12_000)}`,
  `Bearer ${'a'.repeat(4_000)}.${'b'.repeat(4_000)}.${'c'.repeat(4_000)}`]

t.test('guards work as onRequest and preHandler, alone, in an array, several on one route, and with addHook', async (t) => {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const { browser, codeFor } = await buildApp(t, { storage, after: addGuarded, getAdditionalClaims: () => ({ role: 'tester' }) })
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  for (const url of GUARDED.filter((url) => url !== '/claims' && url !== '/me')) {
    calls.length = 0
    const { status, body } = await anna.get(url, token)
    t.equal(status, 200, url)
    t.match(body, {
      user: { email: ANNA, isVerified: true },
      claims: { role: 'tester' },
      otpAuth: { sessionId: /^[\w-]{22}$/, claims: { sub: body.user.id, role: 'tester', type: 'access' } }
    }, url)
    t.same(body.claims, { role: 'tester' }, 'the standard claims are left out')
    t.same(calls, ['loadSession'], `${url}: one storage call, however many guards`)
  }
})

t.test('missing and malformed credentials are 401 at every guard and never reach storage', async (t) => {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const { app, browser } = await buildApp(t, { storage, after: addGuarded })
  calls.length = 0
  const send = (url: string, authorization: string) => browser().send({ method: 'GET', url, headers: { authorization } })
  for (const url of GUARDED) {
    t.match(await browser().get(url), NO_CREDENTIALS, url)
    for (const header of otherSchemes) t.match(await send(url, header), NO_CREDENTIALS, `${url} ${header}`)
    for (const header of malformed) t.match(await send(url, header), BAD_TOKEN, `${url} ${header.slice(0, 30)}`)
  }
  t.same(calls, [])

  // Over a socket, because there Node parses the headers.
  const base = await app.listen({ host: '127.0.0.1', port: 0 })
  for (const header of [...otherSchemes, ...malformed]) {
    t.equal((await fetch(`${base}/me`, { headers: { authorization: header } })).status, 401, header.slice(0, 30))
  }
  t.equal((await fetch(`${base}/me`, { headers: { authorization: `Bearer ${'a'.repeat(20_000)}` } })).status, 431, 'Node refuses it first')
})

t.test('the Bearer scheme is accepted in any letter case', async (t) => {
  const { browser, codeFor } = await buildApp(t)
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  for (const scheme of ['bearer', 'BEARER', 'bEaReR']) {
    t.match(await anna.send({ method: 'GET', url: '/me', headers: { authorization: `${scheme} ${token}` } }), { status: 200 }, scheme)
  }
})

t.test('authenticateOptional sets no user without a token, sets the user with a valid one and responds 401 to an invalid one', async (t) => {
  const { browser, codeFor } = await buildApp(t, { after: addGuarded })
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  t.same((await browser().get('/optional')).body, { user: null, claims: null, otpAuth: null })
  for (const authorization of otherSchemes) {
    const response = await browser().send({ method: 'GET', url: '/optional', headers: { authorization } })
    t.match(response, { status: 200, body: { user: null } }, authorization)
  }
  t.match(await anna.get('/optional', token), { status: 200, body: { user: { email: ANNA }, otpAuth: { sessionId: String } } })
  for (const authorization of malformed) {
    t.match(await browser().send({ method: 'GET', url: '/optional', headers: { authorization } }), BAD_TOKEN, authorization.slice(0, 30))
  }
  await anna.logout()
  t.match(await anna.get('/optional', token), BAD_TOKEN, 'the token of an ended session is invalid')
})

t.test('the user of one request is not set on the next request', async (t) => {
  const { browser, codeFor } = await buildApp(t, { after: addGuarded })
  const anna = browser()
  t.match(await anna.get('/optional', await anna.login(ANNA, codeFor)), { body: { user: { email: ANNA } } })
  t.same((await browser().get('/optional')).body, { user: null, claims: null, otpAuth: null })
})

t.test('requireVerified refuses an unverified user with 403, and authenticate accepts the user', async (t) => {
  const { app, browser, client } = await buildApp(t, { after: addGuarded })
  client.prepare('insert into otp_users (id, email, is_verified) values (?, ?, 0)').run('u1', ANNA)
  const { accessToken } = await app.otpAuth.issueTokens({ id: 'u1', email: ANNA, isVerified: false })
  t.match(await browser().get('/me', accessToken), { status: 200, body: { id: 'u1', isVerified: false } })
  for (const url of ['/verified', '/verified-on-request', '/several', '/optional-verified']) {
    const response = await browser().get(url, accessToken)
    t.match(response, { status: 403, body: { statusCode: 403, code: 'OTP_AUTH_NOT_VERIFIED', error: 'Forbidden' } }, url)
    t.equal(response.headers['www-authenticate'], undefined)
  }
})

t.test('customClaims makes no storage call, sets no user and does not notice a logout', async (t) => {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const claims = { role: 'tester', nested: { deep: [1] }, constructor: 'mine', toString: 'mine' }
  const { browser, codeFor, clock } = await buildApp(t, { storage, after: addGuarded, getAdditionalClaims: () => claims, issuer: 'us', audience: 'you' })
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  await anna.logout()
  calls.length = 0
  const response = await anna.get('/claims', token)
  t.equal(response.status, 200)
  t.same(response.body, { user: null, claims, otpAuth: null })
  t.same(calls, [])
  t.match(await anna.get('/me', token), BAD_TOKEN, 'authenticate notices the logout')
  clock.advance(15 * 60)
  t.match(await anna.get('/claims', token), BAD_TOKEN, 'customClaims notices the expiry')
})

t.test('an access token is invalid once it has expired, to the second', async (t) => {
  const { browser, codeFor, clock } = await buildApp(t)
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  clock.advance(15 * 60 - 1)
  t.match(await anna.get('/me', token), { status: 200 })
  clock.advance(1)
  t.match(await anna.get('/me', token), BAD_TOKEN)
})

t.test('the token of a deleted user is invalid, a storage failure is 503, and the handler runs in neither case', async (t) => {
  const { client, storage: real } = openStorage(t)
  const { storage, fail } = spyStorage(real)
  let ran = 0
  const { browser, codeFor } = await buildApp(t, {
    storage, after: (app) => { app.get('/counted', { onRequest: [app.authenticate] }, async () => ++ran) }
  })
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  client.prepare('delete from otp_users').run()
  t.match(await anna.get('/counted', token), BAD_TOKEN)
  fail('loadSession')
  t.match(await anna.get('/counted', token), { status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' } })
  t.equal(ran, 0)
})

t.test('request.customClaims is decorated, so that all requests have one shape', async (t) => {
  const { app } = await buildApp(t)
  t.ok(app.hasRequestDecorator('customClaims'))
})

t.test('if register is not awaited, a missing guard in an array fails at boot', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(otpAuth, { secretKey: SHARED_SECRET, storage: openStorage(t).storage, sendOtp: () => {}, cleanupInterval: false })
  t.equal(app.authenticate, undefined)
  t.throws(() => app.get('/x', { preHandler: [app.authenticate] }, async () => 'in'), { code: 'FST_ERR_HOOK_INVALID_HANDLER' })
  t.throws(() => app.get('/y', { onRequest: [app.requireVerified] }, async () => 'in'), { code: 'FST_ERR_HOOK_INVALID_HANDLER' })
})
