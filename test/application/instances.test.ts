import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp } from '../helpers/app.ts'
import { addInstance } from '../helpers/instances.ts'

const ANNA = 'anna@example.com'

/** The application's own instance, and one for `/admin` in a child context: two names, two storages, one secret. */
async function buildTwo (t: Test) {
  let codeForAdmin!: (email: string) => string
  const built = await buildApp(t, {
    after: (app: FastifyInstance) => app.register(async (admin) => {
      codeForAdmin = (await addInstance(t, admin, { name: 'admin', prefix: '/admin' })).codeFor
      admin.get('/admin/me', { onRequest: [admin.authenticate] }, async (request) => request.user)
      admin.get('/admin/claims', { onRequest: [admin.customClaims] }, async () => 'in')
      admin.get('/admin/verified', { preHandler: [admin.requireVerified] }, async (request) => request.user)
      admin.get('/admin/after-ours', { onRequest: [app.authenticate], preHandler: [admin.requireVerified] }, async () => 'in')
      admin.get('/admin/after-own', { onRequest: [admin.authenticate], preHandler: [admin.requireVerified] }, async () => 'in')
      admin.get('/admin/optional', { onRequest: [app.authenticate, admin.authenticateOptional] }, async () => 'in')
    })
  })
  const browser = built.browser()
  const token = await browser.login(ANNA, built.codeFor)
  const admin = built.browser()
  await admin.post('/admin/request-otp', { email: ANNA })
  const verified = await admin.post('/admin/verify-otp', { email: ANNA, code: codeForAdmin(ANNA) })
  return { ...built, codeForAdmin, browser, token, admin, adminToken: verified.body.access_token as string }
}

t.test('with one instance in a parent and one in its child, each accepts its own logins', async (t) => {
  const { browser, token, admin, adminToken } = await buildTwo(t)
  t.match(await browser.get('/me', token), { status: 200, body: { email: ANNA } })
  t.match(await admin.get('/admin/me', adminToken), { status: 200, body: { email: ANNA } })
  t.match(await admin.get('/admin/verified', adminToken), { status: 200 })
  t.match(await admin.get('/admin/after-own', adminToken), { status: 200 })
  t.match(await browser.refresh(), { status: 200 })
  t.match(await admin.post('/admin/refresh'), { status: 200 })
})

t.test('access tokens of one instance are refused by every guard of the other, even with one secret', async (t) => {
  const { browser, token, admin, adminToken } = await buildTwo(t)
  const refused = { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } }
  for (const url of ['/admin/me', '/admin/claims', '/admin/verified', '/admin/optional']) t.match(await browser.get(url, token), refused, url)
  for (const url of ['/me', '/verified']) t.match(await admin.get(url, adminToken), refused, url)
  t.match(await browser.get('/admin/after-ours', token), refused, 'requireVerified is not satisfied by another instance\'s authenticate')
})

t.test('refresh tokens of one instance are refused by the other, under the cookie names of both', async (t) => {
  const { app, browser, token, admin } = await buildTwo(t)
  const own = browser.cookies.get('__Host-refresh_token')!
  const others = admin.cookies.get('__Host-refresh_token_admin')!
  const refused = { statusCode: 401 }
  const refresh = (url: string, cookie: string) => app.inject({ method: 'POST', url, headers: { cookie } })
  t.match(await refresh('/admin/refresh', `__Host-refresh_token=${own}`), refused)
  t.match(await refresh('/admin/refresh', `__Host-refresh_token_admin=${own}`), refused)
  t.match(await refresh('/auth/refresh', `__Host-refresh_token_admin=${others}`), refused)
  t.match(await refresh('/auth/refresh', `__Host-refresh_token=${others}`), refused)

  const logout = await refresh('/admin/logout', `__Host-refresh_token=${own}; __Host-refresh_token_admin=${own}`)
  t.match(logout, { statusCode: 200 })
  t.match(await browser.get('/me', token), { status: 200 }, 'a logout at the other instance does not end the session')
})

t.test('codes, request IDs and device cookies of one instance do not work at the other', async (t) => {
  const { app, browser, admin, codeFor, clock } = await buildTwo(t)
  clock.advance(60)
  const requested = await browser.requestOtp(ANNA)
  t.match(requested, { status: 200 })
  const attempt = { email: ANNA, code: codeFor(ANNA), request_id: requested.body.request_id }
  t.match(await app.inject({ method: 'POST', url: '/admin/verify-otp', payload: attempt }), { statusCode: 401 })

  // A browser that the instance remembers has its own cooldown. A browser that only the other instance remembers does not.
  const ask = (cookie: string) => app.inject({ method: 'POST', url: '/admin/request-otp', payload: { email: ANNA }, headers: { cookie } })
  const device = browser.cookies.get('__Host-otp_device')!
  t.match(await ask(`__Host-otp_device_admin=${device}; __Host-otp_device=${device}`), { statusCode: 429 })
  t.match(await ask(`__Host-otp_device_admin=${admin.cookies.get('__Host-otp_device_admin')}`), { statusCode: 200 })
})

t.test('a request.user that another plugin sets is not trusted', async (t) => {
  const forged = { id: 'forged', email: ANNA, isVerified: true }
  const { browser, codeFor } = await buildApp(t, {
    before: (app) => {
      app.addHook('onRequest', async (request) => {
        request.user = forged
        Object.assign(request, { otpAuth: { sessionId: 'forged', claims: {} }, customClaims: {} })
      })
    },
    after: (app) => {
      app.get('/who', { preHandler: [app.requireVerified] }, async (request) => request.user)
    }
  })
  for (const url of ['/me', '/verified', '/who']) {
    t.match(await browser().get(url), { status: 401, body: { code: 'OTP_AUTH_UNAUTHENTICATED' } })
  }
  const anna = browser()
  const { body } = await anna.get('/who', await anna.login(ANNA, codeFor))
  t.match(body, { email: ANNA })
  t.not(body.id, 'forged')
})
