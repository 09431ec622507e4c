import t from 'tap'
import { buildApp, wrongCode } from '../helpers/app.ts'

t.test('a user logs in with an emailed code, a guarded route knows the user, and refresh and logout work', async (t) => {
  const { browser, codeFor, emails } = await buildApp(t)
  const anna = browser()

  const requested = await anna.requestOtp(' Anna@Example.COM ')
  t.equal(requested.status, 200)
  t.match(requested.body, { message: String, request_id: /^[\w-]{22}$/, expires_in: 600, resend_after: 60, code_length: 6 })
  t.match(emails, [{ email: 'anna@example.com', code: /^\d{6}$/, isNewUser: true }])

  const wrong = await anna.verifyOtp('anna@example.com', wrongCode(codeFor('anna@example.com')))
  t.equal(wrong.status, 401)
  t.match(wrong.body, { statusCode: 401, code: 'OTP_AUTH_INVALID_CODE', error: 'Unauthorized', attemptsRemaining: 4 })
  t.equal(wrong.body.detail, wrong.body.message)
  t.same(wrong.setCookies, [])

  const verified = await anna.verifyOtp('anna@example.com', codeFor('anna@example.com'))
  t.equal(verified.status, 200)
  t.match(verified.body, { access_token: String, token_type: 'bearer', expires_in: 900, refresh_token: undefined })
  t.same([...anna.cookies.keys()].sort(), ['__Host-otp_device', '__Host-refresh_token'])

  const me = await anna.get('/me', verified.body.access_token)
  t.match(me, { status: 200, body: { email: 'anna@example.com', isVerified: true } })
  t.match(await anna.get('/verified', verified.body.access_token), { status: 200 })

  const refreshed = await anna.refresh()
  t.match(refreshed, { status: 200, body: { access_token: String } })
  t.match(await anna.logout(), { status: 200, body: { message: 'Logged out' } })
  for (const token of [verified.body.access_token, refreshed.body.access_token]) {
    t.match(await anna.get('/me', token), { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } })
  }
  t.match(await anna.refresh(), { status: 401, body: { code: 'OTP_AUTH_INVALID_REFRESH_TOKEN' } })
})
