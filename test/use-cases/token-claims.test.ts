import t from 'tap'
import { START, buildApp, createClock } from '../helpers/app.ts'
import { SECRET, claimsOf, forge, keyFor, without } from '../helpers/jwt.ts'

const EMAIL = 'anna@example.com'
const HEADER = { alg: 'HS256', typ: 'at+jwt' }
const RESERVED = ['sub', 'sid', 'seq', 'jti', 'type', 'iat', 'exp', 'nbf', 'iss', 'aud']

t.test('issuer and audience are set in both tokens and required in both', async (t) => {
  const { browser, codeFor } = await buildApp(t, { secretKey: SECRET, issuer: 'https://app.example', audience: 'app' })
  const anna = browser()
  const access = await anna.login(EMAIL, codeFor)
  const refresh = anna.cookies.get('__Host-refresh_token')!
  for (const token of [access, refresh]) t.match(claimsOf(token), { iss: 'https://app.example', aud: 'app' })
  const refused = (claims: Record<string, unknown>): Record<string, Record<string, unknown>> => ({
    'no iss': without(claims, 'iss'),
    'no aud': without(claims, 'aud'),
    'another iss': { ...claims, iss: 'https://evil.example' },
    'another aud': { ...claims, aud: 'other' },
    'an iss that begins with the right one': { ...claims, iss: 'https://app.example.evil.example' },
    'iss null': { ...claims, iss: null },
    'aud null': { ...claims, aud: null },
    'only another aud in an array': { ...claims, aud: ['other'] },
    'an empty array as aud': { ...claims, aud: [] },
    'an empty aud': { ...claims, aud: '' }
  })
  for (const [name, claims] of Object.entries(refused(claimsOf(access)))) {
    t.match(await anna.get('/me', forge(HEADER, claims, keyFor('access'))), { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } }, name)
  }
  for (const [name, claims] of Object.entries(refused(claimsOf(refresh)))) {
    anna.cookies.set('__Host-refresh_token', forge({ ...HEADER, typ: 'rt+jwt' }, claims, keyFor('refresh')))
    t.match(await anna.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } }, name)
  }
  t.equal((await anna.get('/me', forge(HEADER, claimsOf(access), keyFor('access')))).status, 200)
  anna.cookies.set('__Host-refresh_token', refresh)
  t.equal((await anna.refresh()).status, 200)
})

t.test('without issuer and audience, the tokens have neither claim', async (t) => {
  const { browser, codeFor } = await buildApp(t)
  const claims = claimsOf(await browser().login(EMAIL, codeFor))
  t.notOk('iss' in claims || 'aud' in claims)
})

for (const name of RESERVED) {
  t.test(`a custom claim named ${name} is an error, and nobody is logged in`, async (t) => {
    const { browser, codeFor, client, app, events } = await buildApp(t, { getAdditionalClaims: () => ({ role: 'x', [name]: 'chosen by the application' }) })
    const anna = browser()
    await anna.requestOtp(EMAIL)
    const response = await anna.verifyOtp(EMAIL, codeFor(EMAIL))
    t.match(response, { status: 500, body: { statusCode: 500, code: 'OTP_AUTH_RESERVED_CLAIM', message: new RegExp(`"${name}"`) }, setCookies: { length: 0 } })
    t.equal(response.body.detail, response.body.message)
    t.notMatch(response.body, { access_token: String })
    t.strictSame(client.prepare('SELECT * FROM otp_sessions').all(), [])
    t.notMatch(events, [{ type: 'otp.verified' }])
    const user = client.prepare('SELECT * FROM otp_users').get() as object
    await t.rejects(app.otpAuth.issueTokens(user), { code: 'OTP_AUTH_RESERVED_CLAIM' }, 'issueTokens refuses it, too')
    t.strictSame(client.prepare('SELECT * FROM otp_sessions').all(), [])
  })
}

t.test('if the claims cannot be signed at a refresh, the session and the tokens of the client stay valid', async (t) => {
  let claims: object = { role: 'x' }
  const { browser, codeFor, clock } = await buildApp(t, { getAdditionalClaims: async () => ({ ...claims }) })
  const anna = browser()
  const token = await anna.login(EMAIL, codeFor)
  clock.advance(60)
  claims = { sub: undefined }
  t.match(await anna.refresh(), { status: 500, body: { code: 'OTP_AUTH_RESERVED_CLAIM' }, setCookies: { length: 0 } }, 'even if its value is undefined')
  t.equal((await anna.get('/me', token)).status, 200)
  clock.advance(60)
  claims = { big: 1n }
  t.match(await anna.refresh(), { status: 500, setCookies: { length: 0 } }, 'not JSON')
  claims = {}
  clock.advance(60)
  t.equal((await anna.refresh()).status, 200, 'the same refresh token still works')
})

t.test('custom claims are in request.customClaims, which has no prototype and no standard claims', async (t) => {
  const given = JSON.parse('{"role":"admin","list":[1,{"a":null}],"toString":"x","constructor":"y","__proto__":{"isAdmin":true},"Sub":"z"}')
  const seen: object[] = []
  const { browser, codeFor } = await buildApp(t, {
    getAdditionalClaims: ({ user }) => Object.assign(given, { email: user.email }),
    after: (app) => {
      for (const guard of ['authenticate', 'customClaims'] as const) {
        app.get(`/${guard}`, { onRequest: [app[guard]] }, async (request) => {
          seen.push(request.customClaims)
          const claims = request.customClaims as Record<string, unknown>
          return { names: Object.keys(claims).sort(), inherits: Object.getPrototypeOf(claims) !== null, isAdmin: claims['isAdmin'] ?? false }
        })
      }
    }
  })
  const anna = browser()
  const token = await anna.login(EMAIL, codeFor)
  for (const guard of ['authenticate', 'customClaims']) {
    const { status, body } = await anna.get(`/${guard}`, token)
    t.equal(status, 200, guard)
    t.strictSame([body.inherits, body.isAdmin], [false, false])
    t.strictSame(body.names.filter((name: string) => name !== '__proto__'), ['Sub', 'constructor', 'email', 'list', 'role', 'toString'])
  }
  t.match(seen[0], { role: 'admin', list: [1, { a: null }], email: EMAIL })
  t.notOk('isAdmin' in {}, 'no prototype was changed')
  t.strictSame((await anna.get('/me', token)).body.email, EMAIL)
})

t.test('the first of several secrets signs, all of them verify, and the tokens of a removed secret are refused', async (t) => {
  const [old, recent] = ['an old secret, which has 32 bytes or more', 'a new secret, which has 32 bytes or more'] as const
  const clock = createClock(START)
  const before = await buildApp(t, { secretKey: old, clock })
  const { storage } = before
  const during = await buildApp(t, { secretKey: [recent, Buffer.from(old)], storage, clock })
  const after = await buildApp(t, { secretKey: [recent], storage, clock })
  const [anna, annaDuring, annaAfter] = [before.browser(), during.browser(), after.browser()]
  const become = (to: typeof anna, from: typeof anna) => { for (const [name, value] of from.cookies) to.cookies.set(name, value) }
  const invalid = { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } }

  const oldToken = await anna.login(EMAIL, before.codeFor)
  t.equal((await annaDuring.get('/me', oldToken)).status, 200, 'a token from before the rotation')
  t.match(await annaAfter.get('/me', oldToken), invalid, 'once the old secret is removed')
  become(annaAfter, anna)
  t.match(await annaAfter.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } }, 'the refresh token, too')

  become(annaDuring, anna)
  const renewed = await annaDuring.refresh()
  t.equal(renewed.status, 200, 'a refresh token from before the rotation')
  t.equal((await annaAfter.get('/me', renewed.body.access_token)).status, 200, 'the new access token is signed with the new secret')
  t.match(await anna.get('/me', renewed.body.access_token), invalid, 'the old secret cannot verify it')

  await anna.requestOtp('bert@example.com')
  const [bert, bertLate] = [during.browser(), after.browser()]
  become(bert, anna)
  become(bertLate, anna)
  const code = before.codeFor('bert@example.com')
  t.match(await bertLate.verifyOtp('bert@example.com', code), { status: 401, body: { code: 'OTP_AUTH_INVALID_CODE' } }, 'a code of a removed secret')
  t.equal((await bert.verifyOtp('bert@example.com', code)).status, 200, 'a code that was sent before the rotation')
})
