import t from 'tap'
import { createOtpAuthClient, OtpAuthClientError } from '../../src/client/client.ts'
import { resolveOptions } from '../../src/options/resolve.ts'
import { wrongCode } from '../helpers/app.ts'
import { BASE, clientApp, fetchOf, LOGGED_IN } from '../helpers/client.ts'
import { required } from '../helpers/options.ts'

const ANNA = 'anna@example.com'

t.test('logs in, survives a reload and logs out', async (t) => {
  const { client, codeFor } = await clientApp(t)
  const tab = client()
  t.equal(tab.client.session, undefined, 'nobody knows yet')
  t.equal(await tab.client.refresh(), null)
  t.equal(tab.client.session, null)

  t.match(await tab.client.requestOtp(ANNA), { requestId: String, expiresIn: 600, resendAfter: 60, codeLength: 6 })
  const came = Date.now()
  const session = await tab.client.verifyOtp(codeFor(ANNA))
  t.match(session, { accessToken: String, userId: String })
  t.ok(session.expiresAt >= came + 900_000 && session.expiresAt <= Date.now() + 900_000, 'reckoned from when the answer came')
  t.equal(tab.client.session, session)
  const me = await tab.client.fetch(`${BASE}/../me`)
  t.match(await me.json(), { email: ANNA, id: session.userId })

  const reloaded = client()
  t.match(await reloaded.client.refresh(), { userId: session.userId })
  t.equal((await reloaded.client.fetch('http://app.example/me')).status, 200)

  await reloaded.client.logout()
  t.equal(reloaded.client.session, null)
  t.equal((await reloaded.client.fetch('http://app.example/me')).status, 401)
  await reloaded.client.logout() // where nobody is signed in, there is nothing to refuse
  t.strictSame(tab.changes, [null, session.userId])
  t.strictSame(reloaded.changes, [session.userId, null])
})

t.test('carries the request id, which gives a new request for the address its tries anew', async (t) => {
  const { client, codeFor, clock } = await clientApp(t)
  const { client: tab, asked } = client()
  const first = await tab.requestOtp(ANNA)
  await t.rejects(tab.verifyOtp(wrongCode(codeFor(ANNA))), { name: 'OtpAuthClientError', attemptsRemaining: 4 })
  clock.advance(60)
  t.equal((await tab.requestOtp(ANNA)).requestId, first.requestId)
  await t.rejects(tab.verifyOtp(wrongCode(codeFor(ANNA))), { name: 'OtpAuthClientError', attemptsRemaining: 4 })

  const other = await tab.requestOtp('ben@example.com')
  t.notMatch(asked('/auth/request-otp').at(-1)!.body, first.requestId, 'but not to another address')
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

t.test('a login begun elsewhere is taken up with its address and request id', async (t) => {
  const { client, codeFor, browser } = await clientApp(t, { requireRequestId: true })
  const { requestId } = await client().client.requestOtp(ANNA)
  const { client: elsewhere } = client({}, browser())
  await t.rejects(elsewhere.verifyOtp(codeFor(ANNA)), { name: 'OtpAuthClientError', status: 400, code: 'FST_ERR_VALIDATION' }, 'nobody said whose code')
  await t.rejects(elsewhere.verifyOtp(codeFor(ANNA), { email: ANNA }), { name: 'OtpAuthClientError', status: 401 })
  t.ok(await elsewhere.verifyOtp(codeFor(ANNA), { email: ANNA, requestId }))
})

t.test('errors tell status, code, message, tries left and the wait', async (t) => {
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

t.test('an answer that is not the plugin\'s is an error of its own, whatever its status', async (t) => {
  const html = '<h1>Bad gateway</h1>'
  const UNEXPECTED = 'OTP_AUTH_UNEXPECTED_ANSWER'
  const cases: Array<[string, Response, object]> = [
    ['a proxy', new Response(html, { status: 502, headers: { 'retry-after': '7' } }), { status: 502, message: 'The server answered 502', retryAfter: 7 }],
    ['a date to wait for', new Response('', { status: 503, headers: { 'retry-after': new Date().toUTCString() } }), { status: 503, retryAfter: undefined }],
    ['a wrong address', Response.json({ message: 'Route POST:/verify-otp not found', statusCode: 404 }, { status: 404 }), { status: 404, message: /Route/ }],
    ['other types', Response.json({ code: 5, message: {} }, { status: 500 }), { status: 500, message: 'The server answered 500' }],
    ['no object', Response.json(null, { status: 500 }), { status: 500 }],
    ['a page for every address', new Response(html), { status: 200 }],
    ['JSON of another kind', Response.json({ ok: true }), { status: 200, message: 'The server answered 200' }],
    ['a token of another kind', Response.json({ access_token: 'opaque' }), { status: 200, message: /access token/ }],
    ['a token without a user', Response.json({ access_token: 'a.e30.c' }), { status: 200, message: /access token/ }]
  ]
  for (const [name, response, expected] of cases) {
    const client = createOtpAuthClient({ baseUrl: BASE, fetch: async () => response })
    await t.rejects(client.verifyOtp('123456', { email: ANNA }), { name: 'OtpAuthClientError', code: UNEXPECTED, ...expected }, name)
    t.equal(client.session, undefined)
  }
})

t.test('a success that is not the plugin\'s is none, on any route', async (t) => {
  for (const body of ['{}', 'null', '[]', '"hi"', '5']) {
    const client = createOtpAuthClient({ baseUrl: BASE, fetch: async () => new Response(body) })
    const asks: Array<() => Promise<unknown>> = [
      () => client.requestOtp(ANNA), () => client.verifyOtp('1', { email: ANNA }), client.refresh, client.logout
    ]
    for (const ask of asks) {
      await t.rejects(ask(), { name: 'OtpAuthClientError', status: 200, code: 'OTP_AUTH_UNEXPECTED_ANSWER' }, body)
    }
    t.equal(client.session, undefined)
  }
})

t.test('no answer, or none in time, is an error without a status', async (t) => {
  const UNREACHABLE = { status: 0, code: 'OTP_AUTH_UNREACHABLE' }
  const cause = new TypeError('fetch failed')
  const offline = createOtpAuthClient({ baseUrl: BASE, fetch: async () => { throw cause } })
  await t.rejects(offline.requestOtp(ANNA), { ...UNREACHABLE, cause })

  const hanging = createOtpAuthClient({
    baseUrl: BASE,
    timeout: 5,
    fetch: (_input, init) => new Promise((_resolve, reject) => {
      // AbortSignal.timeout alone keeps no process alive.
      const alive = setTimeout(() => {}, 10_000)
      init!.signal!.addEventListener('abort', () => {
        clearTimeout(alive)
        reject(init!.signal!.reason)
      })
    })
  })
  await t.rejects(hanging.refresh(), UNREACHABLE)
})

t.test('where there is no page, an address that is not absolute is refused at once', async (t) => {
  for (const options of [undefined, { baseUrl: '/auth' }, { baseUrl: 'api.example/auth' }, { baseUrl: 'https://' }]) {
    const message = /^baseUrl must be a path such as "\/auth", or an absolute address such as .* where there is no page, .*; got "/
    t.throws(() => createOtpAuthClient(options), { name: 'TypeError', message })
  }
})

t.test('an address with a query, and a timeout that no timer keeps, are refused', async (t) => {
  for (const baseUrl of ['https://api.example/auth?x=1', 'https://api.example/auth?', 'https://api.example/auth#top']) {
    t.throws(() => createOtpAuthClient({ baseUrl }), { name: 'TypeError', message: /without a query or #; got "/ })
  }
  for (const timeout of [0, -1, NaN, Infinity, 2 ** 31, '5s' as never]) {
    t.throws(() => createOtpAuthClient({ baseUrl: BASE, timeout }), { name: 'RangeError', message: /^timeout must be a number of milliseconds from 1 to/ })
  }
})

t.test('a code that was asked for while another one was entered can still be entered', async (t) => {
  const { client, codeFor } = await clientApp(t)
  const { client: tab } = client()
  await tab.requestOtp(ANNA)
  const entered = tab.verifyOtp(codeFor(ANNA))
  await tab.requestOtp('ben@example.com')
  await entered
  t.ok(await tab.verifyOtp(codeFor('ben@example.com')))
})

t.test('a logout that the server refuses leaves this client signed in, and works when called again', async (t) => {
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

t.test('a listener that was stopped hears nothing, one that throws fails no login', async (t) => {
  const { client, login } = await clientApp(t)
  const tab = client()
  const complaint = new Promise((resolve) => process.once('uncaughtException', resolve))
  const heard: unknown[] = []
  tab.client.onChange(() => { throw new Error('from a listener') })
  tab.client.onChange((session) => { heard.push(session) })
  tab.client.onChange(() => t.fail('was stopped'))()
  const session = await login(tab)
  t.match(await complaint, { message: 'from a listener' })
  t.strictSame(heard, [session])
})

t.test('a store of refresh tokens holds the newest one, for clients without cookies', async (t) => {
  const { client, login, clock, browser, codeFor } = await clientApp(t, { refreshTokenDelivery: 'body' })
  let stored: string | undefined
  const store = { get: async () => stored, set: async (token: string | undefined) => { stored = token } }
  const tab = client({ refreshToken: store })
  t.equal(await tab.client.refresh(), null)
  t.equal(tab.sent.length, 0, 'without a token there is nothing to ask')

  await login(tab)
  const first = stored
  t.type(first, 'string')
  clock.advance(31)
  const restarted = client({ refreshToken: store })
  t.ok(await restarted.client.refresh())
  t.not(stored, first)
  clock.advance(31)
  t.ok(await restarted.client.refresh(), 'the stored one is the newest')

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
  t.equal(await tab.client.refresh(), null, 'two hold one token: the session ends')
  t.equal(stored, undefined, 'and what ended is kept no longer')
})

t.test('sends cookies to another site, unless a store takes their place', async (t) => {
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

t.test('a refresh whose answer was lost is asked for again at once, within the grace period, and the session goes on', async (t) => {
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
  await t.rejects(tab.client.refresh(), { status: 0, code: 'OTP_AUTH_UNREACHABLE' }, 'but not for ever')
  t.ok(tab.client.session, 'and nobody is signed out')
  t.notOk(events.some(({ type }) => type === 'refresh-token.reused'))
})

t.test('both tries of a refresh fit into the grace period, however long other routes may take', async (t) => {
  const limits: number[] = []
  t.intercept(AbortSignal, 'timeout', { value: (limit: number) => { limits.push(limit) } })
  const fetch = async () => { throw new TypeError('offline') }
  for (const options of [{}, { timeout: 60_000 }, { timeout: 3000 }]) {
    const client = createOtpAuthClient({ baseUrl: BASE, fetch, ...options })
    await t.rejects(client.refresh())
    await t.rejects(client.logout())
  }
  t.strictSame(limits, [10_000, 10_000, 30_000, 10_000, 10_000, 60_000, 3000, 3000, 3000])
  t.ok(limits[0]! + limits[1]! < resolveOptions(required()).refreshGracePeriod)
})

t.test('a 401 that is not the plugin\'s ends no stored token', async (t) => {
  const kept: unknown[] = []
  const client = createOtpAuthClient({
    baseUrl: BASE,
    refreshToken: { get: () => 'token', set: (token) => { kept.push(token) } },
    fetch: async () => new Response('<h1>401 Authorization Required</h1>', { status: 401 })
  })
  t.equal(await client.refresh(), null)
  t.strictSame(kept, [])
})

t.test('a store that fails with what looks like a 401 signs nobody out', async (t) => {
  const kept: unknown[] = []
  const failure = Object.assign(new Error('the keychain is locked'), { status: 401, code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' })
  const client = createOtpAuthClient({
    baseUrl: BASE,
    fetch: async () => Response.json({ ...LOGGED_IN, refresh_token: 'next' }),
    refreshToken: {
      get: () => 'token',
      set (token) {
        kept.push(token)
        throw failure
      }
    }
  })
  await t.rejects(client.refresh(), failure)
  t.strictSame(kept, ['next'])
  t.equal(client.session, undefined)
})
