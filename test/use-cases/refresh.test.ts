import t from 'tap'
import { isLive } from '../../src/services/sessions.ts'
import { buildApp, openStorage, withVerbs, type TestApp } from '../helpers/app.ts'
import type { Browser } from '../helpers/browser.ts'

const DAY = 24 * 3600
const COOKIE = '__Host-refresh_token'

const session = ({ client }: TestApp) => client.prepare('select seq, rotated_at, revoked_at from otp_sessions').get() as
  { seq: number, rotated_at: number | null, revoked_at: number | null }

t.test('each refresh after the grace period rotates the token once and restarts the idle time', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.login('anna@example.com', app.codeFor)
  for (let step = 1; step <= 4; step++) {
    app.clock.advance(6 * DAY)
    t.match(await anna.refresh(), { status: 200, body: { token_type: 'bearer', expires_in: 900, refresh_token: undefined } })
    t.equal(session(app).seq, step)
  }
  app.clock.advance(6 * DAY - 1)
  t.match(await anna.refresh(), { status: 200, body: { expires_in: 1 } }, 'tokens expire with the session')
  app.clock.advance(2)
  t.equal((await anna.refresh()).status, 401, 'the session ends after thirty days, however often it was refreshed')
})

t.test('a session ends after seven idle days', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  const token = await anna.login('anna@example.com', app.codeFor)
  app.clock.advance(7 * DAY)
  t.match(await anna.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' }, setCookies: { length: 0 } })
  t.equal((await anna.get('/me', token)).status, 401)
})

t.test('ten tabs that refresh within twenty seconds, each with the same token, stay logged in', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.login('anna@example.com', app.codeFor)
  app.clock.advance(600)
  const tabs = Array.from({ length: 10 }, () => anna.at(app.app))
  for (const tab of tabs) {
    t.equal((await tab.refresh()).status, 200)
    app.clock.advance(2)
  }
  t.equal(session(app).seq, 1)
  app.clock.advance(60)
  for (const tab of tabs) t.equal((await tab.refresh()).status, 200)
})

t.test('a lost response does not log the user out', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  await anna.login('anna@example.com', app.codeFor)
  const before = anna.at(app.app)
  await anna.refresh()
  app.clock.advance(30)
  t.equal((await before.refresh()).status, 200, 'at the last moment of the grace period')
  app.clock.advance(3600)
  t.equal((await before.refresh()).status, 200)
})

t.test('a refresh token that is two rotations old, one rotation old after the grace period, or newer than its session ends its session and no other', async (t) => {
  const app = await buildApp(t)
  const reuses = {
    'two rotations old': async (anna: Browser) => {
      const thief = anna.at(app.app)
      await anna.refresh()
      app.clock.advance(31)
      await anna.refresh()
      return thief
    },
    'one rotation old, after the grace period': async (anna: Browser) => {
      const thief = anna.at(app.app)
      await anna.refresh()
      app.clock.advance(30.001)
      return thief
    },
    'newer than its session, as after a restore of the database': async (anna: Browser) => {
      const thief = anna.at(app.app)
      await thief.refresh()
      app.client.prepare('update otp_sessions set seq = 0 where id = (select id from otp_sessions order by created_at desc limit 1)').run()
      return thief
    }
  }
  const other = app.browser()
  const otherToken = await other.login('anna@example.com', app.codeFor)
  for (const [name, steal] of Object.entries(reuses)) {
    app.clock.advance(60)
    const anna = app.browser(`198.51.${name.length}.1`)
    const token = await anna.login('anna@example.com', app.codeFor)
    const thief = await steal(anna)
    app.events.length = 0
    t.match(await thief.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' }, setCookies: { length: 0 } }, name)
    t.equal((await thief.refresh()).status, 401)
    t.equal((await anna.refresh()).status, 401, 'both tokens are refused')
    t.equal((await anna.get('/me', token)).status, 401)
    t.same(app.events.map(({ type }) => type), ['refresh-token.reused'], 'one event')
  }
  t.equal((await other.get('/me', otherToken)).status, 200)
})

t.test('if getAdditionalClaims fails during a refresh, the refresh token stays valid for another try', async (t) => {
  let isDown = false
  const app = await buildApp(t, {
    getAdditionalClaims: async () => {
      if (isDown) throw Object.assign(new Error('directory is down'), { statusCode: 503 })
      return { role: 'editor' }
    }
  })
  const anna = app.browser()
  await anna.login('anna@example.com', app.codeFor)
  app.clock.advance(600)
  isDown = true
  t.equal((await anna.refresh()).status, 503)
  t.equal(session(app).seq, 0)
  app.clock.advance(60)
  isDown = false
  t.equal((await anna.refresh()).status, 200)
})

t.test('if the user logs out during a refresh, the refresh is refused', async (t) => {
  const { storage: real } = openStorage(t)
  let meanwhile = async () => {}
  const storage = withVerbs(real, {
    rotateSession: async (rotation) => {
      await meanwhile()
      return await real.rotateSession(rotation)
    }
  })
  const app = await buildApp(t, { storage })
  const anna = app.browser()
  await anna.login('anna@example.com', app.codeFor)
  const tab = anna.at(app.app)
  meanwhile = async () => { await tab.logout() }
  t.match(await anna.refresh(), { status: 401, setCookies: { length: 0 } })
})

t.test('a refresh that another tab overtakes gets the token of that tab, and a refresh that is two rotations behind is token reuse', async (t) => {
  const { client, storage: real } = openStorage(t)
  let before = async () => {}
  const storage = withVerbs(real, {
    rotateSession: async (rotation) => {
      const run = before
      before = async () => {}
      await run()
      return await real.rotateSession(rotation)
    }
  })
  const app = await buildApp(t, { storage })
  const anna = app.browser()
  await anna.login('anna@example.com', app.codeFor)
  const tab = anna.at(app.app)
  before = async () => { await tab.refresh() }
  t.equal((await anna.refresh()).status, 200)
  t.equal(client.prepare('select seq from otp_sessions').pluck().get(), 1)

  app.clock.advance(60)
  before = async () => {
    await tab.refresh()
    app.clock.advance(31)
    await tab.refresh()
  }
  t.equal((await anna.refresh()).status, 401)
  t.match(app.events.at(-1), { type: 'refresh-token.reused' })
})

t.test('a login ends the session whose token the browser sent, and no other', async (t) => {
  const app = await buildApp(t)
  const phone = app.browser()
  const onPhone = await phone.login('anna@example.com', app.codeFor)
  app.clock.advance(60)
  const laptop = app.browser()
  const first = await laptop.login('anna@example.com', app.codeFor)
  app.clock.advance(60)
  const second = await laptop.login('anna@example.com', app.codeFor)
  t.equal((await laptop.get('/me', first)).status, 401)
  t.equal((await laptop.get('/me', second)).status, 200)
  t.equal((await phone.get('/me', onPhone)).status, 200)
  t.match(app.events.filter(({ type }) => type === 'session.ended'), [{ reason: 'replaced' }])
})

t.test('a deleted user is logged out', async (t) => {
  const app = await buildApp(t)
  const anna = app.browser()
  const token = await anna.login('anna@example.com', app.codeFor)
  app.client.prepare('delete from otp_users').run()
  t.equal((await anna.get('/me', token)).status, 401)
  t.equal((await anna.refresh()).status, 401)
})

t.test('without a token, or with an invalid one, refresh is 401 and logout is 200', async (t) => {
  const app = await buildApp(t)
  for (const value of [undefined, '', 'x', 'a.b.c']) {
    const browser = app.browser()
    if (value !== undefined) browser.cookies.set(COOKIE, value)
    t.match(await browser.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' }, setCookies: { length: 0 } })
    const response = await browser.logout()
    t.equal(response.status, 200)
    t.match(response.setCookies, [/^__Host-refresh_token=; Max-Age=0;/])
  }
})

t.test('the grace period is checked at the start of the request, so a slow getAdditionalClaims is not token reuse', async (t) => {
  let takes = 0
  const { browser, codeFor, clock, events } = await buildApp(t, { getAdditionalClaims: () => { clock.advance(takes); return {} } })
  const anna = browser()
  await anna.login('anna@example.com', codeFor)
  const before = anna.cookies.get('__Host-refresh_token')!
  clock.advance(40)
  await anna.refresh()
  clock.advance(29.9)
  takes = 0.2
  t.match(await browser().post('/auth/refresh', {}, { cookie: `__Host-refresh_token=${before}` }), { status: 200 })
  t.notOk(events.some(({ type }) => type === 'refresh-token.reused'))
})

t.test('a refresh that another tab overtakes during getAdditionalClaims is not token reuse, however long that takes', async (t) => {
  let waiting: Promise<void> | undefined
  let asked: () => void
  const isAsked = new Promise<void>((resolve) => { asked = resolve })
  const { browser, codeFor, clock, events } = await buildApp(t, {
    getAdditionalClaims: async () => {
      const wait = waiting
      waiting = undefined
      if (wait !== undefined) asked()
      await wait
      return {}
    }
  })
  const anna = browser()
  await anna.login('anna@example.com', codeFor)
  const cookie = `__Host-refresh_token=${anna.cookies.get('__Host-refresh_token')}`
  let release: () => void
  waiting = new Promise((resolve) => { release = resolve })
  const slow = browser().post('/auth/refresh', {}, { cookie })
  await isAsked
  clock.advance(1)
  t.equal((await anna.refresh()).status, 200)
  clock.advance(35)
  release!()
  t.match(await slow, { status: 200 })
  t.notOk(events.some(({ type }) => type === 'refresh-token.reused'))
  t.equal((await anna.refresh()).status, 200)
})

t.test('an access token is refused once its session has been idle too long, even before the token expires', async (t) => {
  const app = await buildApp(t, { accessTokenLifetime: '10d' })
  const anna = app.browser()
  const token = await anna.login('anna@example.com', app.codeFor)
  app.clock.advance(7 * DAY - 1)
  t.equal((await anna.get('/me', token)).status, 200)
  app.clock.advance(1)
  t.equal((await anna.get('/me', token)).status, 401)
})

t.test('an expired refresh token is refused, even within the grace period of an active session', async (t) => {
  const app = await buildApp(t, { refreshTokenLifetime: 40, refreshGracePeriod: 30 })
  const anna = app.browser()
  await anna.login('anna@example.com', app.codeFor)
  const tab = anna.at(app.app)
  app.clock.advance(20)
  t.equal((await anna.refresh()).status, 200)
  app.clock.advance(25)
  t.equal((await tab.refresh()).status, 401, 'five seconds past its expiry')
  t.equal((await anna.refresh()).status, 200, 'the expired token is not token reuse')
})

t.test('rotateSession is called with the time before which the last rotation must be: now minus the grace period', async (t) => {
  const { storage: real } = openStorage(t)
  const rotations: unknown[] = []
  const storage = withVerbs(real, {
    rotateSession: async (rotation) => {
      rotations.push(rotation)
      return await real.rotateSession(rotation)
    }
  })
  const { browser, clock, codeFor } = await buildApp(t, { storage, refreshGracePeriod: 20 })
  const anna = browser()
  await anna.login('anna@example.com', codeFor)
  t.equal((await anna.refresh()).status, 200)
  t.match(rotations, [{ now: clock(), rotatedBefore: clock() - 20_000 }])
})

t.test('a session is active until it is revoked, idle too long or too old, whichever comes first, to the millisecond', async (t) => {
  const session = { id: 's', userId: 'u', seq: 1, rotatedAt: null, createdAt: 0, revokedAt: null, idleExpiresAt: 10, expiresAt: 20 }
  t.same([9, 10, 11].map((now) => isLive(session, now)), [true, false, false])
  t.same([9, 10, 11].map((now) => isLive({ ...session, idleExpiresAt: 20, expiresAt: 10 }, now)), [true, false, false])
  t.equal(isLive({ ...session, revokedAt: 5 }, 4), false)
})
