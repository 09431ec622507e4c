import t from 'tap'
import type { IssuedTokens } from '../../src/index.ts'
import { buildApp, START } from '../helpers/app.ts'

const ANNA = 'anna@example.com'
const USER = { id: 'u1', email: ANNA, isVerified: true }
const COOKIE = '__Host-refresh_token'

/** An application with one user, who logs in through a route of the application. */
async function build (t: Parameters<typeof buildApp>[0], options: Parameters<typeof buildApp>[1] = {}) {
  const issued: IssuedTokens[] = []
  const built = await buildApp(t, {
    ...options,
    after: (app) => {
      app.post('/sso', async (_request, reply) => {
        issued.push(await app.otpAuth.issueTokens(USER, reply))
        return 'in'
      })
    }
  })
  built.client.prepare('insert into otp_users (id, email, is_verified) values (?, ?, 1)').run(USER.id, USER.email)
  return { ...built, issued }
}

t.test('issueTokens without a reply returns tokens that work, and its session is listed', async (t) => {
  const { app, browser } = await build(t, { refreshTokenDelivery: 'body', accessTokenLifetime: '5m' })
  const tokens = await app.otpAuth.issueTokens(USER)
  t.match(tokens, { accessToken: String, refreshToken: String, expiresIn: 300, sessionId: /^[\w-]{22}$/ })
  t.same(Object.keys(tokens).sort(), ['accessToken', 'expiresIn', 'refreshToken', 'sessionId'])
  t.match(await browser().get('/verified', tokens.accessToken), { status: 200, body: { email: ANNA } })
  t.match(await browser().post('/auth/refresh', { refresh_token: tokens.refreshToken }), { status: 200 })
  t.match((await app.otpAuth.listSessions(USER.id)).map(({ id }) => id), [tokens.sessionId])
})

t.test('issueTokens with a reply sets the refresh cookie unless refreshTokenDelivery is "body"', async (t) => {
  for (const refreshTokenDelivery of ['cookie', 'both', 'body'] as const) {
    const { browser, issued } = await build(t, { refreshTokenDelivery })
    const anna = browser()
    t.match(await anna.post('/sso'), { status: 200 })
    t.equal(anna.cookies.get(COOKIE), refreshTokenDelivery === 'body' ? undefined : issued[0]!.refreshToken, refreshTokenDelivery)
    if (refreshTokenDelivery !== 'body') t.match(await anna.refresh(), { status: 200 })
  }
})

t.test('issueTokens calls getAdditionalClaims, with the request if there is one, and throws if a claim is reserved', async (t) => {
  const urls: unknown[] = []
  const { app, browser } = await build(t, {
    getAdditionalClaims: ({ user, request }) => {
      urls.push([user.id, request?.url])
      return request === undefined ? { exp: 1 } : { role: 'tester' }
    }
  })
  await browser().post('/sso')
  await t.rejects(app.otpAuth.issueTokens(USER), { code: 'OTP_AUTH_RESERVED_CLAIM', message: /"exp"/ })
  t.same(urls, [['u1', '/sso'], ['u1', undefined]])
  t.equal((await app.otpAuth.listSessions(USER.id)).length, 1, 'the call that threw left no session')
})

t.test('revokeSession ends one session at once and returns whether it was active', async (t) => {
  const { app, browser } = await build(t)
  const [one, two] = [await app.otpAuth.issueTokens(USER), await app.otpAuth.issueTokens(USER)]
  t.equal(await app.otpAuth.revokeSession(one.sessionId), true)
  t.equal(await app.otpAuth.revokeSession(one.sessionId), false)
  t.equal(await app.otpAuth.revokeSession('unknown'), false)
  t.match(await browser().get('/me', one.accessToken), { status: 401 })
  t.match(await browser().post('/auth/refresh', {}, { cookie: `${COOKIE}=${one.refreshToken}` }), { status: 401 })
  t.match(await browser().get('/me', two.accessToken), { status: 200 })
})

t.test('revokeAllSessions ends all sessions of one user, even those of the same millisecond, and returns their number', async (t) => {
  const { app, client, browser, clock } = await build(t)
  client.prepare('insert into otp_users (id, email, is_verified) values (?, ?, 1)').run('u2', 'bob@example.com')
  const mine = [await app.otpAuth.issueTokens(USER)]
  clock.advance(5)
  mine.push(await app.otpAuth.issueTokens(USER), await app.otpAuth.issueTokens(USER))
  const others = await app.otpAuth.issueTokens({ id: 'u2', email: 'bob@example.com', isVerified: true })
  await app.otpAuth.revokeSession(mine[0]!.sessionId)
  t.equal(await app.otpAuth.revokeAllSessions(USER.id), 2)
  t.equal(await app.otpAuth.revokeAllSessions(USER.id), 0)
  t.equal(await app.otpAuth.revokeAllSessions('nobody'), 0)
  for (const { accessToken } of mine) t.match(await browser().get('/me', accessToken), { status: 401 })
  t.match(await browser().get('/me', others.accessToken), { status: 200 })
})

t.test('listSessions returns the active sessions of the user, newest first, with their times', async (t) => {
  const { app, browser, clock } = await build(t, { refreshTokenDelivery: 'both' })
  const first = await app.otpAuth.issueTokens(USER)
  clock.advance(10)
  const second = await app.otpAuth.issueTokens(USER)
  clock.advance(10)
  const revoked = await app.otpAuth.issueTokens(USER)
  await app.otpAuth.revokeSession(revoked.sessionId)
  await browser().post('/auth/refresh', { refresh_token: first.refreshToken })

  const month = 30 * 86_400_000
  t.same(await app.otpAuth.listSessions(USER.id), [
    { id: second.sessionId, createdAt: new Date(START + 10_000), refreshedAt: null, expiresAt: new Date(START + 10_000 + month) },
    { id: first.sessionId, createdAt: new Date(START), refreshedAt: new Date(START + 20_000), expiresAt: new Date(START + month) }
  ])
  t.same(await app.otpAuth.listSessions('nobody'), [])
  clock.advance(8 * 86_400)
  t.same(await app.otpAuth.listSessions(USER.id), [], 'idle sessions have expired')
})

t.test('cleanup removes rows that expired more than an hour ago and returns the number of each kind', async (t) => {
  const { app, browser, codeFor, clock, client } = await build(t, { refreshTokenLifetime: '1d' })
  await browser().login(ANNA, codeFor)
  await browser('198.51.100.1').requestOtp('bob@example.com')
  t.same(await app.otpAuth.cleanup(), { challenges: 0, counters: 0, sessions: 0 })

  clock.advance(600 + 3600 - 1)
  t.same(await app.otpAuth.cleanup(), { challenges: 0, counters: 0, sessions: 0 }, 'nothing is removed before the hour is over')
  clock.advance(2)
  t.same(await app.otpAuth.cleanup(), { challenges: 2, counters: 0, sessions: 0 })
  clock.advance(86_400)
  const removed = await app.otpAuth.cleanup()
  t.match(removed, { challenges: 0, counters: 4, sessions: 1 })
  t.same(await app.otpAuth.cleanup(), { challenges: 0, counters: 0, sessions: 0 })
  t.same(client.prepare('select (select count(*) from otp_sessions) as s, (select count(*) from otp_users) as u').get(), { s: 0, u: 1 })
})

t.test('revoked sessions are kept until their expiry, so that their tokens stay refused', async (t) => {
  const { app, client, clock } = await build(t)
  const { sessionId } = await app.otpAuth.issueTokens(USER)
  await app.otpAuth.revokeSession(sessionId)
  clock.advance(2 * 3600)
  t.match(await app.otpAuth.cleanup(), { sessions: 0 })
  t.match(client.prepare('select id from otp_sessions').all(), [{ id: sessionId }])
})

t.test('one cleanup removes more than one batch of rows', async (t) => {
  const { app, client, clock } = await build(t)
  const insert = client.prepare('insert into otp_sessions (id, user_id, seq, created_at, idle_expires_at, expires_at) values (?, ?, 0, 0, ?, ?)')
  for (let row = 0; row < 2_500; row++) insert.run(`s${row}`, 'u1', START, START)
  clock.advance(3601)
  t.match(await app.otpAuth.cleanup(), { sessions: 2_500 })
})

t.test('a storage failure makes the functions of app.otpAuth reject with OTP_AUTH_STORAGE_UNAVAILABLE', async (t) => {
  const { app, client } = await build(t)
  client.exec('drop table otp_sessions')
  const unavailable = { code: 'OTP_AUTH_STORAGE_UNAVAILABLE', statusCode: 503 }
  await t.rejects(app.otpAuth.issueTokens(USER), unavailable)
  await t.rejects(app.otpAuth.revokeSession('x'), unavailable)
  await t.rejects(app.otpAuth.revokeAllSessions('x'), unavailable)
  await t.rejects(app.otpAuth.listSessions('x'), unavailable)
  await t.rejects(app.otpAuth.cleanup(), unavailable)
})
