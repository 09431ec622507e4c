import t from 'tap'
import { buildApp, wrongCode, type TestApp } from '../helpers/app.ts'
import type { Answer } from '../helpers/browser.ts'

const EMAIL = 'anna@example.com'

/**
 * A front end as it was written for fastapi-otp-authentication. It knows four routes, two bodies and these fields. It sends the
 * content type JSON on every request, even without a body, leaves the refresh token to the cookies, and shows `detail`.
 */
function pythonFrontEnd ({ browser }: TestApp) {
  const page = browser()
  let token = ''

  async function post (path: string, body?: object): Promise<Answer> {
    return await page.send({
      method: 'POST',
      url: `/auth${path}`,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      ...(body !== undefined && { payload: JSON.stringify(body) })
    })
  }

  function keep ({ status, body }: Answer): string {
    if (status !== 200) throw new Error(body.detail)
    if (body.token_type !== 'bearer') throw new Error('no bearer token')
    token = body.access_token
    return token
  }

  return {
    async requestOtp (): Promise<string> {
      const { status, body } = await post('/request-otp', { email: EMAIL })
      if (status !== 200) throw new Error(body.detail)
      return body.message
    },
    verifyOtp: async (code: string) => keep(await post('/verify-otp', { email: EMAIL, code })),
    refresh: async () => keep(await post('/refresh')),
    async logout (): Promise<string> { return (await post('/logout')).body.message },
    profile: async () => await page.get('/me', token),
    claims: () => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { sub: string, exp: number, type: string }
  }
}

t.test('a front end that was written for fastapi-otp-authentication works unchanged', async (t) => {
  const app = await buildApp(t)
  const page = pythonFrontEnd(app)

  t.match(await page.requestOtp(), /\S/)
  await t.rejects(page.requestOtp(), { message: 'Too many requests. Try again in 60 seconds' })
  await t.rejects(page.verifyOtp(wrongCode(app.codeFor(EMAIL))), { message: 'The code is wrong or no longer valid' })
  await page.verifyOtp(app.codeFor(EMAIL))
  t.match(await page.profile(), { status: 200, body: { email: EMAIL } })

  const { sub, exp, type } = page.claims()
  t.equal(type, 'access')
  t.equal(sub, (await page.profile()).body.id)
  t.equal(exp, Math.floor(app.clock() / 1000) + 15 * 60)

  app.clock.advance(16 * 60)
  t.match(await page.profile(), { status: 401 })
  await page.refresh()
  t.match(await page.profile(), { status: 200 })

  t.match(await page.logout(), /\S/)
  t.match(await page.profile(), { status: 401 })
  await t.rejects(page.refresh(), { message: /Log in again/ })
})

t.test('a validation error is a text in the field detail, which that front end shows', async (t) => {
  const { browser } = await buildApp(t)
  const { status, body } = await browser().post('/auth/request-otp', { email: 'no address' })
  t.equal(status, 400)
  t.type(body.detail, 'string')
})
