import t from 'tap'
import { buildApp } from '../helpers/app.ts'

const ANNA = 'anna@example.com'
const REFUSED = { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' }, setCookies: { length: 0 } }
const COOKIE = '__Host-refresh_token'

t.test('with delivery "body", refresh tokens are only in bodies, and the client must store the rotated one', async (t) => {
  const { browser, codeFor, clock } = await buildApp(t, { refreshTokenDelivery: 'body' })
  const anna = browser()
  await anna.requestOtp(ANNA)
  const verified = await anna.verifyOtp(ANNA, codeFor(ANNA))
  const first = verified.body.refresh_token
  t.type(first, 'string')
  t.notOk(anna.cookies.has(COOKIE))
  t.notOk(verified.setCookies.some((line) => line.startsWith(COOKIE)))

  const refreshed = await anna.post('/auth/refresh', { refresh_token: first })
  t.match(refreshed, { status: 200, body: { access_token: String, token_type: 'bearer', expires_in: 900, refresh_token: String }, setCookies: { length: 0 } })
  const second = refreshed.body.refresh_token
  t.not(second, first)
  clock.advance(31)
  t.match(await anna.post('/auth/refresh', { refresh_token: second }), { status: 200 })
  t.match(await anna.post('/auth/refresh'), REFUSED, 'without a token')
  t.match(await anna.post('/auth/refresh', {}, { cookie: `${COOKIE}=${second}` }), REFUSED, 'a cookie is not read')

  const logout = await anna.post('/auth/logout', { refresh_token: second })
  t.match(logout, { status: 200, setCookies: { length: 0 } })
  t.match(await anna.get('/me', refreshed.body.access_token), { status: 401 })
})

t.test('with delivery "both", the body wins over the cookie, at refresh and at logout', async (t) => {
  const { browser, codeFor, clock } = await buildApp(t, { refreshTokenDelivery: 'both' })
  const login = async () => {
    clock.advance(60)
    const one = browser()
    await one.requestOtp(ANNA)
    const { body } = await one.verifyOtp(ANNA, codeFor(ANNA))
    return { browser: one, refresh: body.refresh_token as string, access: body.access_token as string }
  }
  const phone = await login()
  const laptop = await login()
  t.equal(laptop.browser.cookies.get(COOKIE), laptop.refresh, 'the cookie and the body have one token')

  t.match(await laptop.browser.post('/auth/refresh', { refresh_token: 'bad' }), REFUSED, 'an invalid token in the body is refused despite the valid cookie')
  t.match(await laptop.browser.post('/auth/refresh', { refresh_token: '' }), REFUSED)
  t.match(await laptop.browser.post('/auth/logout', { refresh_token: phone.refresh }), { status: 200 })
  t.match(await laptop.browser.get('/me', phone.access), { status: 401 }, 'the session of the token in the body ended')
  t.match(await laptop.browser.get('/me', laptop.access), { status: 200 }, 'the session of the cookie did not end')

  const byCookie = await laptop.browser.post('/auth/refresh', {}, { cookie: `${COOKIE}=${laptop.refresh}` })
  t.match(byCookie, { status: 200, body: { refresh_token: String }, setCookies: [/^__Host-refresh_token=/] })
})

t.test('with delivery "cookie", a refresh token in a body is refused, and no response body contains one', async (t) => {
  const { browser, codeFor } = await buildApp(t)
  const anna = browser()
  await anna.requestOtp(ANNA)
  const verified = await anna.verifyOtp(ANNA, codeFor(ANNA))
  t.notOk('refresh_token' in verified.body)
  const token = anna.cookies.get(COOKIE)!
  for (const url of ['/auth/refresh', '/auth/logout']) {
    for (const value of [token, '', null]) {
      t.match(await anna.post(url, { refresh_token: value }), { status: 400, body: { code: 'FST_ERR_VALIDATION' }, setCookies: { length: 0 } })
    }
  }
  t.match(await anna.get('/me', verified.body.access_token), { status: 200 }, 'nobody was logged out')
  t.notOk('refresh_token' in (await anna.refresh()).body)
})

t.test('with delivery "body" or "both", a refresh token of a wrong type or length is 400', async (t) => {
  for (const refreshTokenDelivery of ['body', 'both'] as const) {
    const { browser } = await buildApp(t, { refreshTokenDelivery })
    for (const value of [null, 1, true, ['x'], { $ne: '' }, 'x'.repeat(4097)]) {
      for (const url of ['/auth/refresh', '/auth/logout']) {
        t.match(await browser().post(url, { refresh_token: value }), { status: 400, body: { code: 'FST_ERR_VALIDATION' } }, JSON.stringify(value))
      }
    }
  }
})

t.test('an access token alone, valid or expired, is enough to log out', async (t) => {
  for (const wait of [0, 3600]) {
    const { browser, codeFor, clock, events } = await buildApp(t)
    const anna = browser()
    const token = await anna.login(ANNA, codeFor)
    clock.advance(wait)
    t.match(await browser().post('/auth/logout', {}, { authorization: `Bearer ${token}` }), { status: 200, setCookies: [/Max-Age=0/] })
    t.match(events.at(-1), { type: 'session.ended', reason: 'logout' })
    t.match(await anna.refresh(), REFUSED)
    t.match(await anna.get('/me', token), { status: 401 })
  }
})

t.test('a refresh token from before any rotation, and an expired one, is enough to log out', async (t) => {
  const { browser, codeFor, clock, events } = await buildApp(t)
  const anna = browser()
  await anna.login(ANNA, codeFor)
  const old = anna.cookies.get(COOKIE)!
  for (let step = 0; step < 3; step++) {
    clock.advance(31)
    t.match(await anna.refresh(), { status: 200 })
  }
  t.match(await browser().post('/auth/logout', {}, { cookie: `${COOKIE}=${old}` }), { status: 200, body: { message: 'Logged out' } })
  t.match(events.at(-1), { type: 'session.ended', reason: 'logout' }, 'at logout an old token is not token reuse')
  t.match(await anna.refresh(), REFUSED)

  clock.advance(60)
  await anna.login(ANNA, codeFor)
  clock.advance(8 * 86_400)
  const count = events.length
  t.match(await anna.refresh(), REFUSED)
  t.match(await anna.logout(), { status: 200, setCookies: [/Max-Age=0/] })
  t.match(events.slice(count), [{ type: 'session.ended', reason: 'logout' }])
})

t.test('a logout without a token, or with an invalid one, responds 200 and clears the cookie', async (t) => {
  const { browser, codeFor, events } = await buildApp(t)
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  const count = events.length
  const refreshCookie = anna.cookies.get(COOKIE)!
  for (const headers of [{}, { cookie: `${COOKIE}=x` }, { authorization: 'Bearer x' }, { authorization: 'Basic x' },
    { cookie: `${COOKIE}=${token}` }, { authorization: `Bearer ${refreshCookie}` }] as Array<Record<string, string>>) {
    const response = await browser().post('/auth/logout', {}, headers)
    t.match(response, { status: 200, body: { message: 'Logged out' }, setCookies: [/^__Host-refresh_token=; Max-Age=0/] })
  }
  t.equal(events.length, count)
  t.match(await anna.get('/me', token), { status: 200 }, 'a token of one kind is not accepted as the other kind')
})

t.test('two logouts end the session once', async (t) => {
  const { app, browser, codeFor, events } = await buildApp(t)
  const anna = browser()
  const token = await anna.login(ANNA, codeFor)
  const headers = { cookie: `${COOKIE}=${anna.cookies.get(COOKIE)}`, authorization: `Bearer ${token}` }
  for (let time = 0; time < 2; time++) t.match(await app.inject({ method: 'POST', url: '/auth/logout', headers }), { statusCode: 200 })
  t.equal(events.filter(({ type }) => type === 'session.ended').length, 1)
})
