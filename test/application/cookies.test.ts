import t from 'tap'
import type { CookieOptions, OtpAuthOptions } from '../../src/index.ts'
import { buildApp } from '../helpers/app.ts'

const ANNA = 'anna@example.com'

/** A Set-Cookie line as its name, its Max-Age and its other attributes, sorted. */
function read (line: string) {
  const [pair, ...parts] = line.split('; ')
  const maxAge = parts.find((part) => part.startsWith('Max-Age='))!
  return {
    name: pair!.slice(0, pair!.indexOf('=')),
    maxAge: Number(maxAge.slice('Max-Age='.length)),
    rest: parts.filter((part) => part !== maxAge).sort().join('; ')
  }
}

const DAY = 86_400
const LAX = 'HttpOnly; Path=/; SameSite=Lax; Secure'

interface Case {
  options: Partial<OtpAuthOptions>
  refresh: { name: string, rest: string }
  others: { prefix: string, suffix?: string, rest: string }
}

const cases: Record<string, Case> = {
  'by default': {
    options: {},
    refresh: { name: '__Host-refresh_token', rest: LAX },
    others: { prefix: '__Host-', rest: LAX }
  },
  'without secure': {
    options: { cookie: { secure: false } },
    refresh: { name: 'refresh_token', rest: 'HttpOnly; Path=/; SameSite=Lax' },
    others: { prefix: '', rest: 'HttpOnly; Path=/; SameSite=Lax' }
  },
  'with a path': {
    options: { cookie: { path: '/auth' } },
    refresh: { name: '__Secure-refresh_token', rest: 'HttpOnly; Path=/auth; SameSite=Lax; Secure' },
    others: { prefix: '__Host-', rest: LAX }
  },
  'with the default path': {
    options: { cookie: { path: '/' } },
    refresh: { name: '__Host-refresh_token', rest: LAX },
    others: { prefix: '__Host-', rest: LAX }
  },
  'with a domain': {
    options: { cookie: { domain: 'example.com' } },
    refresh: { name: '__Secure-refresh_token', rest: 'Domain=example.com; HttpOnly; Path=/; SameSite=Lax; Secure' },
    others: { prefix: '__Host-', rest: LAX }
  },
  'with a path and a domain, without secure': {
    options: { cookie: { path: '/auth', domain: 'example.com', secure: false } },
    refresh: { name: 'refresh_token', rest: 'Domain=example.com; HttpOnly; Path=/auth; SameSite=Lax' },
    others: { prefix: '', rest: 'HttpOnly; Path=/; SameSite=Lax' }
  },
  'with sameSite strict': {
    options: { cookie: { sameSite: 'strict' } },
    refresh: { name: '__Host-refresh_token', rest: 'HttpOnly; Path=/; SameSite=Strict; Secure' },
    others: { prefix: '__Host-', rest: 'HttpOnly; Path=/; SameSite=Strict; Secure' }
  },
  'with sameSite none, partitioned': {
    options: { cookie: { sameSite: 'none', partitioned: true } },
    refresh: { name: '__Host-refresh_token', rest: 'HttpOnly; Partitioned; Path=/; SameSite=None; Secure' },
    others: { prefix: '__Host-', rest: 'HttpOnly; Path=/; SameSite=None; Secure' }
  },
  'of a named instance': {
    options: { name: 'admin' },
    refresh: { name: '__Host-refresh_token_admin', rest: LAX },
    others: { prefix: '__Host-', suffix: '_admin', rest: LAX }
  },
  'with undefined for all options': {
    options: { cookie: { secure: undefined, sameSite: undefined, path: undefined, domain: undefined, partitioned: undefined } },
    refresh: { name: '__Host-refresh_token', rest: LAX },
    others: { prefix: '__Host-', rest: LAX }
  }
}

for (const [kind, { options, refresh, others: { prefix, suffix = '', rest } }] of Object.entries(cases)) {
  t.test(`the three cookies, ${kind}, are set and cleared with the right names and attributes`, async (t) => {
    const { browser, codeFor } = await buildApp(t, options)
    const anna = browser()
    const request = { name: `${prefix}otp_request${suffix}`, rest }
    const device = { name: `${prefix}otp_device${suffix}`, rest }

    t.same((await anna.requestOtp(ANNA)).setCookies.map(read), [{ ...request, maxAge: 600 }])
    const verified = await anna.verifyOtp(ANNA, codeFor(ANNA))
    t.same(verified.setCookies.map(read), [{ ...refresh, maxAge: 7 * DAY }, { ...device, maxAge: 180 * DAY }, { ...request, maxAge: 0 }])
    t.same((await anna.refresh()).setCookies.map(read), [{ ...refresh, maxAge: 7 * DAY }])
    t.same((await anna.logout()).setCookies.map(read), [{ ...refresh, maxAge: 0 }])
    t.same([...anna.cookies.keys()], [device.name], 'a cookie is cleared with the attributes that it was set with')
  })
}

t.test('Max-Age follows the options and never exceeds the rest of the session', async (t) => {
  const { browser, codeFor, clock } = await buildApp(t, { otpExpiry: '2m', refreshTokenLifetime: '1h', sessionLifetime: '90m' })
  const anna = browser()
  t.same((await anna.requestOtp(ANNA)).setCookies.map((line) => read(line).maxAge), [120])
  t.equal(read((await anna.verifyOtp(ANNA, codeFor(ANNA))).setCookies[0]!).maxAge, 3600)
  clock.advance(2400)
  t.equal(read((await anna.refresh()).setCookies[0]!).maxAge, 3000)
})

t.test('only a cookie with the exact name is read', async (t) => {
  const { app, browser, codeFor } = await buildApp(t)
  const anna = browser()
  await anna.login(ANNA, codeFor)
  const token = anna.cookies.get('__Host-refresh_token')!
  const refresh = async (cookie: string) => (await app.inject({ method: 'POST', url: '/auth/refresh', headers: { cookie } })).statusCode
  for (const name of ['refresh_token', '__Secure-refresh_token', '__host-refresh_token', '__HOST-REFRESH_TOKEN', '__Host-refresh_token_admin',
    'x__Host-refresh_token', '__Host-refresh_token ', '__Host-refresh_token[]', '"__Host-refresh_token"', '__Host%2Drefresh_token']) {
    t.equal(await refresh(`${name}=${token}`), 401, name)
  }
  for (const cookie of [`a=1; __Host-refresh_token=${token}; b=2`, `a=1;__Host-refresh_token=${token};b`, `=; ;; __Host-refresh_token=${token}`]) {
    t.equal(await refresh(cookie), 200, cookie.slice(0, 20))
  }
  for (const value of ['', 'x', '%', '%00', '"', 'a.b.c', `${token}=`, token.slice(0, -1), `"${token}"`, `${token} x`, 'a'.repeat(10_000)]) {
    t.equal(await refresh(`__Host-refresh_token=${value}`), 401, value.slice(0, 20))
  }
})

t.test('invalid cookie options and invalid combinations are refused, and the error names the option', async (t) => {
  const wrong: Array<[unknown, RegExp]> = [
    ['secure', /cookie must be an object/],
    [[], /cookie must be an object/],
    [{ secure: 'yes' }, /cookie\.secure must be true or false/],
    [{ secure: 'auto' }, /cookie\.secure/],
    [{ sameSite: 'None' }, /cookie\.sameSite must be/],
    [{ sameSite: true }, /cookie\.sameSite/],
    [{ path: 'auth' }, /cookie\.path must be/],
    [{ path: '/a;b' }, /cookie\.path/],
    [{ path: '/a b' }, /cookie\.path/],
    [{ path: 1 }, /cookie\.path/],
    [{ domain: '' }, /cookie\.domain must be/],
    [{ domain: 'a.example; Path=/' }, /cookie\.domain/],
    [{ partitioned: 1 }, /cookie\.partitioned/],
    [{ httpOnly: false }, /Unknown option "cookie\.httpOnly"/],
    [{ maxAge: 1 }, /Unknown option "cookie\.maxAge"/],
    [{ signed: true }, /Unknown option "cookie\.signed"/],
    [{ secure: false, sameSite: 'none' }, /cookie\.secure must be true/],
    [{ secure: false, partitioned: true }, /cookie\.secure must be true/]
  ]
  for (const [cookie, message] of wrong) {
    await t.rejects(buildApp(t, { cookie: cookie as CookieOptions }), { code: 'OTP_AUTH_INVALID_OPTION', message }, JSON.stringify(cookie))
  }
})
