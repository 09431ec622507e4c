import t from 'tap'
import { buildApp } from '../helpers/app.ts'

const EMAIL = 'anna@example.com'
const RESERVED = ['sub', 'sid', 'seq', 'jti', 'type', 'iat', 'exp', 'nbf', 'iss', 'aud']

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
