import t from 'tap'
import { createOtpAuthClient, OtpAuthClientError } from '../../src/client/client.ts'
import { resolveOptions } from '../../src/options/resolve.ts'
import { wrongCode } from '../helpers/app.ts'
import { BASE, clientApp, fetchOf, LOGGED_IN } from '../helpers/client.ts'
import { required } from '../helpers/options.ts'

const ANNA = 'anna@example.com'

t.test('a user logs in, stays signed in after a reload and logs out', async (t) => {
  const { client, codeFor } = await clientApp(t)
  const tab = client()
  t.equal(tab.client.session, undefined, 'unknown until the first response')
  t.equal(await tab.client.refresh(), null)
  t.equal(tab.client.session, null)

  t.match(await tab.client.requestOtp(ANNA), { requestId: String, expiresIn: 600, resendAfter: 60, codeLength: 6 })
  const before = Date.now()
  const session = await tab.client.verifyOtp(codeFor(ANNA))
  t.match(session, { accessToken: String, userId: String })
  t.ok(session.expiresAt >= before + 900_000 && session.expiresAt <= Date.now() + 900_000, 'counted from when the response arrived')
  t.equal(tab.client.session, session)
  const me = await tab.client.fetch(`${BASE}/../me`)
  t.match(await me.json(), { email: ANNA, id: session.userId })

  const reloaded = client()
  t.match(await reloaded.client.refresh(), { userId: session.userId })
  t.equal((await reloaded.client.fetch('http://app.example/me')).status, 200)

  await reloaded.client.logout()
  t.equal(reloaded.client.session, null)
  t.equal((await reloaded.client.fetch('http://app.example/me')).status, 401)
  await reloaded.client.logout() // succeeds although no user is signed in
  t.strictSame(tab.changes, [null, session.userId])
  t.strictSame(reloaded.changes, [session.userId, null])
})

t.test('a second request for the same email sends the request ID again, and its code gets all attempts again', async (t) => {
  const { client, codeFor, clock } = await clientApp(t)
  const { client: tab, asked } = client()
  const first = await tab.requestOtp(ANNA)
  await t.rejects(tab.verifyOtp(wrongCode(codeFor(ANNA))), { name: 'OtpAuthClientError', attemptsRemaining: 4 })
  clock.advance(60)
  t.equal((await tab.requestOtp(ANNA)).requestId, first.requestId)
  await t.rejects(tab.verifyOtp(wrongCode(codeFor(ANNA))), { name: 'OtpAuthClientError', attemptsRemaining: 4 })

  const other = await tab.requestOtp('ben@example.com')
  t.notMatch(asked('/auth/request-otp').at(-1)!.body, first.requestId, 'a request for another email does not send it')
  t.not(other.requestId, first.requestId)
})

t.test('a refused request leaves the code before it to be entered', async (t) => {
  const { client, codeFor } = await clientApp(t)
  const { client: tab } = client()
  await tab.requestOtp(ANNA)
  const refused = await tab.requestOtp(ANNA).catch((error) => error)
  t.match(refused, { name: 'OtpAuthClientError', status: 429, code: 'OTP_AUTH_TOO_MANY_REQUESTS', retryAfter: 60 })
  t.ok(await tab.verifyOtp(codeFor(ANNA)))
})

t.test('a login that was started by another client continues with its email and request ID', async (t) => {
  const { client, codeFor, browser } = await clientApp(t, { requireRequestId: true })
  const { requestId } = await client().client.requestOtp(ANNA)
  const { client: otherClient } = client({}, browser())
  await t.rejects(otherClient.verifyOtp(codeFor(ANNA)), { name: 'OtpAuthClientError', status: 400, code: 'FST_ERR_VALIDATION' }, 'the email is missing')
  await t.rejects(otherClient.verifyOtp(codeFor(ANNA), { email: ANNA }), { name: 'OtpAuthClientError', status: 401 })
  t.ok(await otherClient.verifyOtp(codeFor(ANNA), { email: ANNA, requestId }))
})

t.test('an error has the status, code, message, remaining attempts and wait of the response', async (t) => {
  const { client, codeFor } = await clientApp(t, { maxOtpAttempts: 2 })
  const { client: tab } = client()
  await t.rejects(tab.requestOtp('nobody'), { name: 'OtpAuthClientError', status: 400, code: 'FST_ERR_VALIDATION', message: /email/ })
  await tab.requestOtp(ANNA)
  const wrong = () => tab.verifyOtp(wrongCode(codeFor(ANNA))).catch((error) => error)
  const error = await wrong()
  t.ok(error instanceof OtpAuthClientError)
  t.match(error, { status: 401, code: 'OTP_AUTH_INVALID_CODE', message: /wrong/, attemptsRemaining: 1, retryAfter: undefined })
  t.match(await wrong(), { attemptsRemaining: 0 })
  t.match(await wrong(), { status: 429, code: 'OTP_AUTH_TOO_MANY_ATTEMPTS', attemptsRemaining: undefined })
})

t.test('a response that is not from the plugin has its own error code, whatever its status', async (t) => {
  const html = '<h1>Bad gateway</h1>'
  const UNEXPECTED = 'OTP_AUTH_UNEXPECTED_RESPONSE'
  const unexpected = (detail: string) =>
    `Unexpected response ${detail}. Expected a response from fastify-otp-auth. Check baseUrl and any proxy in front of the server.`
  const cases: Array<[string, Response, object]> = [
    ['a proxy', new Response(html, { status: 502, headers: { 'retry-after': '7' } }), { status: 502, message: unexpected('with status 502'), retryAfter: 7 }],
    ['Retry-After with a date', new Response('', { status: 503, headers: { 'retry-after': new Date().toUTCString() } }), { status: 503, retryAfter: undefined }],
    ['an unknown route', Response.json({ message: 'Route POST:/verify-otp not found', statusCode: 404 }, { status: 404 }), { status: 404, message: /Route/ }],
    ['fields of other types', Response.json({ code: 5, message: {} }, { status: 500 }), { status: 500, message: unexpected('with status 500') }],
    ['not an object', Response.json(null, { status: 500 }), { status: 500 }],
    ['the same page for every URL', new Response(html), { status: 200 }],
    ['other JSON', Response.json({ ok: true }), { status: 200, message: unexpected('with status 200') }],
    ['another kind of token', Response.json({ access_token: 'opaque' }), { status: 200, message: unexpected('without a valid access token') }],
    ['a token without a user', Response.json({ access_token: 'a.e30.c' }), { status: 200, message: unexpected('without a valid access token') }]
  ]
  for (const [name, response, expected] of cases) {
    const client = createOtpAuthClient({ baseUrl: BASE, fetch: async () => response })
    await t.rejects(client.verifyOtp('123456', { email: ANNA }), { name: 'OtpAuthClientError', code: UNEXPECTED, ...expected }, name)
    t.equal(client.session, undefined)
  }
})

t.test('a successful response that is not from the plugin is an error on every route', async (t) => {
  for (const body of ['{}', 'null', '[]', '"hi"', '5']) {
    const client = createOtpAuthClient({ baseUrl: BASE, fetch: async () => new Response(body) })
    const calls: Array<() => Promise<unknown>> = [
      () => client.requestOtp(ANNA), () => client.verifyOtp('1', { email: ANNA }), client.refresh, client.logout
    ]
    for (const call of calls) {
      await t.rejects(call(), { name: 'OtpAuthClientError', status: 200, code: 'OTP_AUTH_UNEXPECTED_RESPONSE' }, body)
    }
    t.equal(client.session, undefined)
  }
})

t.test('no response, or a late one, is an error with status 0', async (t) => {
  const UNREACHABLE = { status: 0, code: 'OTP_AUTH_UNREACHABLE' }
  const cause = new TypeError('fetch failed')
  const offline = createOtpAuthClient({ baseUrl: BASE, fetch: async () => { throw cause } })
  await t.rejects(offline.requestOtp(ANNA), { ...UNREACHABLE, cause })

  const hanging = createOtpAuthClient({
    baseUrl: BASE,
    timeout: 5,
    fetch: (_input, init) => new Promise((_resolve, reject) => {
      // AbortSignal.timeout alone does not keep the process running.
      const keepAlive = setTimeout(() => {}, 10_000)
      init!.signal!.addEventListener('abort', () => {
        clearTimeout(keepAlive)
        reject(init!.signal!.reason)
      })
    })
  })
  await t.rejects(hanging.refresh(), UNREACHABLE)
})

t.test('a baseUrl that is not absolute is rejected at once if there is no page', async (t) => {
  for (const options of [undefined, { baseUrl: '/auth' }, { baseUrl: 'api.example/auth' }, { baseUrl: 'https://' }]) {
    const message = `Invalid baseUrl "${options?.baseUrl ?? '/auth'}". Expected a path such as "/auth" or an absolute URL such as ` +
      '"https://api.example/auth", without a query or #. Use an absolute URL if there is no page.'
    t.throws(() => createOtpAuthClient(options), { name: 'TypeError', message })
  }
})

t.test('a baseUrl with a query or a #, and a timeout out of range, are rejected', async (t) => {
  for (const baseUrl of ['https://api.example/auth?x=1', 'https://api.example/auth?', 'https://api.example/auth#top']) {
    t.throws(() => createOtpAuthClient({ baseUrl }), { name: 'TypeError', message: /^Invalid baseUrl "https:.+, without a query or #\./ })
  }
  for (const timeout of [0, -1, NaN, Infinity, 2 ** 31, '5s' as never]) {
    const message = `Invalid timeout ${timeout}. Expected a number of milliseconds from 1 to 2147483647.`
    t.throws(() => createOtpAuthClient({ baseUrl: BASE, timeout }), { name: 'RangeError', message })
  }
})

t.test('a code that was requested while another one was checked can still be entered', async (t) => {
  const { client, codeFor } = await clientApp(t)
  const { client: tab } = client()
  await tab.requestOtp(ANNA)
  const entered = tab.verifyOtp(codeFor(ANNA))
  await tab.requestOtp('ben@example.com')
  await entered
  t.ok(await tab.verifyOtp(codeFor('ben@example.com')))
})

t.test('after a failed logout the client is still signed in, and a second logout works', async (t) => {
  const { client, login, storage } = await clientApp(t)
  const tab = client()
  const session = await login(tab)
  const { revokeSession } = storage
  storage.revokeSession = async () => { throw new Error('down') }
  await t.rejects(tab.client.logout(), { name: 'OtpAuthClientError', status: 503 })
  t.equal(tab.client.session, session)
  storage.revokeSession = revokeSession
  await tab.client.logout()
  t.equal(tab.client.session, null)
})

t.test('a removed listener is not called, and a listener that throws does not fail the login', async (t) => {
  const { client, login } = await clientApp(t)
  const tab = client()
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve))
  const calls: unknown[] = []
  tab.client.onChange(() => { throw new Error('from a listener') })
  tab.client.onChange((session) => { calls.push(session) })
  tab.client.onChange(() => t.fail('this listener was removed'))()
  const session = await login(tab)
  t.match(await uncaught, { message: 'from a listener' })
  t.strictSame(calls, [session])
})

t.test('a refresh token store holds the newest token, for clients without cookies', async (t) => {
  const { client, login, clock, browser, codeFor } = await clientApp(t, { refreshTokenDelivery: 'body' })
  let stored: string | undefined
  const store = { get: async () => stored, set: async (token: string | undefined) => { stored = token } }
  const tab = client({ refreshToken: store })
  t.equal(await tab.client.refresh(), null)
  t.equal(tab.sent.length, 0, 'without a token no request is sent')

  await login(tab)
  const first = stored
  t.type(first, 'string')
  clock.advance(31)
  const restarted = client({ refreshToken: store })
  t.ok(await restarted.client.refresh())
  t.not(stored, first)
  clock.advance(31)
  t.ok(await restarted.client.refresh(), 'the stored token is the newest')

  await restarted.client.logout()
  t.equal(stored, undefined)
  t.equal(await tab.client.refresh(), null)

  clock.advance(60)
  await tab.client.requestOtp(ANNA)
  await tab.client.verifyOtp(codeFor(ANNA))
  const thief = client({ refreshToken: { get: () => stored, set: () => {} } }, browser())
  await thief.client.refresh()
  clock.advance(31)
  await thief.client.refresh()
  t.equal(await tab.client.refresh(), null, 'two clients used the same token: the session ends')
  t.equal(stored, undefined, 'and its token is removed from the store')
})

t.test('requests send cookies to another site, unless a refresh token store replaces them', async (t) => {
  const credentialsOf = async (options: object) => {
    let credentials
    const client = createOtpAuthClient({
      baseUrl: BASE,
      fetch: async (_input, init) => {
        credentials = init!.credentials
        return new Response('', { status: 401 })
      },
      ...options
    })
    await client.refresh()
    return credentials
  }
  const refreshToken = { get: () => 'token', set: () => {} }
  t.equal(await credentialsOf({}), 'include')
  t.equal(await credentialsOf({ refreshToken }), 'same-origin')
  t.equal(await credentialsOf({ refreshToken, credentials: 'omit' }), 'omit')
})

t.test('a refresh whose response was lost is sent again at once, within the grace period, and the session continues', async (t) => {
  const { anna, client, login, events } = await clientApp(t)
  const { fetch } = fetchOf(anna)
  let losses = 0
  const tab = client({
    fetch: async (input, init) => {
      if (!String(input).endsWith('/refresh') || losses === 0) return await fetch(input, init)
      losses--
      const cookies = [...anna.cookies]
      await fetch(input, init)
      for (const [name, value] of cookies) anna.cookies.set(name, value)
      throw new TypeError('the network changed')
    }
  })
  await login(tab)
  losses = 1
  t.ok(await tab.client.refresh())
  t.equal(losses, 0)
  losses = 2
  await t.rejects(tab.client.refresh(), { status: 0, code: 'OTP_AUTH_UNREACHABLE' }, 'it is sent twice, not more often')
  t.ok(tab.client.session, 'and the user stays signed in')
  t.notOk(events.some(({ type }) => type === 'refresh-token.reused'))
})

t.test('a refresh and its retry end within the grace period, even if other routes have a longer timeout', async (t) => {
  const timeouts: number[] = []
  t.intercept(AbortSignal, 'timeout', { value: (milliseconds: number) => { timeouts.push(milliseconds) } })
  const fetch = async () => { throw new TypeError('offline') }
  for (const options of [{}, { timeout: 60_000 }, { timeout: 3000 }]) {
    const client = createOtpAuthClient({ baseUrl: BASE, fetch, ...options })
    await t.rejects(client.refresh())
    await t.rejects(client.logout())
  }
  t.strictSame(timeouts, [10_000, 10_000, 30_000, 10_000, 10_000, 60_000, 3000, 3000, 3000])
  t.ok(timeouts[0]! + timeouts[1]! < resolveOptions(required()).refreshGracePeriod)
})

t.test('a 401 that is not from the plugin does not remove the stored token', async (t) => {
  const writes: unknown[] = []
  const client = createOtpAuthClient({
    baseUrl: BASE,
    refreshToken: { get: () => 'token', set: (token) => { writes.push(token) } },
    fetch: async () => new Response('<h1>401 Authorization Required</h1>', { status: 401 })
  })
  t.equal(await client.refresh(), null)
  t.strictSame(writes, [])
})

t.test('a store error that looks like a 401 does not sign the user out', async (t) => {
  const writes: unknown[] = []
  const failure = Object.assign(new Error('the keychain is locked'), { status: 401, code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' })
  const client = createOtpAuthClient({
    baseUrl: BASE,
    fetch: async () => Response.json({ ...LOGGED_IN, refresh_token: 'next' }),
    refreshToken: {
      get: () => 'token',
      set (token) {
        writes.push(token)
        throw failure
      }
    }
  })
  await t.rejects(client.refresh(), failure)
  t.strictSame(writes, ['next'])
  t.equal(client.session, undefined)
})
