import t from 'tap'
import { buildApp, type TestApp } from '../helpers/app.ts'
import type { Browser } from '../helpers/browser.ts'
import { addInstance } from '../helpers/instances.ts'

const EMAIL = 'anna@example.com'

t.test('a logout, a revocation, a deleted user and the expiry refuse a token that was accepted a moment before', async (t) => {
  const ends: Record<string, (at: TestApp, anna: Browser) => Promise<unknown>> = {
    logout: (_at, anna) => anna.logout(),
    revocation: async ({ app, client }) => await app.otpAuth.revokeAllSessions(client.prepare('select id from otp_users').pluck().get() as string),
    deletion: async ({ client }) => client.exec('delete from otp_users'),
    expiry: async ({ clock }) => clock.advance(15 * 60)
  }
  for (const [end, endSession] of Object.entries(ends)) {
    const at = await buildApp(t)
    const anna = at.browser()
    const token = await anna.login(EMAIL, at.codeFor)
    for (let n = 0; n < 2; n++) t.equal((await anna.get('/me', token)).status, 200)
    await endSession(at, anna)
    for (let n = 0; n < 2; n++) t.match(await anna.get('/me', token), { status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' } }, end)
  }
})

t.test('a token that another instance in this process has accepted is refused, with the same secret', async (t) => {
  const { app, browser, codeFor } = await buildApp(t, {
    after: async (app) => {
      await app.register(async (child) => {
        await addInstance(t, child, { name: 'admin', prefix: '/admin' })
        child.get('/admin/me', { onRequest: [child.authenticate] }, async () => 'in')
        child.get('/admin/claims', { onRequest: [child.customClaims] }, async () => 'in')
      })
    }
  })
  const anna = browser()
  const token = await anna.login(EMAIL, codeFor)
  t.equal((await anna.get('/me', token)).status, 200)
  for (const url of ['/admin/me', '/admin/claims']) {
    const response = await app.inject({ url, headers: { authorization: `Bearer ${token}` } })
    t.match(response, { statusCode: 401 }, url)
  }
})

t.test('a token that differs in one character from an accepted one is refused', async (t) => {
  const { browser, codeFor } = await buildApp(t)
  const anna = browser()
  const token = await anna.login(EMAIL, codeFor)
  t.equal((await anna.get('/me', token)).status, 200)
  for (let position = 0; position < token.length; position++) {
    const other = token[position] === 'A' ? 'B' : 'A'
    const altered = token.slice(0, position) + other + token.slice(position + 1)
    if ((await anna.get('/me', altered)).status !== 401) t.fail(`accepted with another character at ${position}`)
  }
  for (const altered of [`${token} `, `${token}=`, token.slice(0, -1), `${token}A`, token.toUpperCase()]) {
    t.equal((await anna.get('/me', altered)).status, 401)
  }
  t.equal((await anna.get('/me', token)).status, 200)
})

t.test('two requests with one token cannot see each other\'s changes of claims', async (t) => {
  const seen: unknown[] = []
  const { browser, codeFor } = await buildApp(t, {
    getAdditionalClaims: () => ({ role: 'user', tags: ['a'] }),
    after: (app) => {
      app.get('/change', { onRequest: [app.authenticate] }, async (request) => {
        const claims = request.customClaims as Record<string, unknown>
        seen.push({ ...claims })
        claims['role'] = 'admin'
        t.throws(() => (claims['tags'] as string[]).push('b'), TypeError)
        t.throws(() => Object.assign(request.otpAuth!.claims, { sub: 'other' }), TypeError)
        return 'changed'
      })
    }
  })
  const anna = browser()
  const token = await anna.login(EMAIL, codeFor)
  for (let n = 0; n < 2; n++) t.equal((await anna.get('/change', token)).status, 200)
  t.strictSame(seen, [{ role: 'user', tags: ['a'] }, { role: 'user', tags: ['a'] }])
})

t.test('an expired token that a logout accepts does not become valid again', async (t) => {
  const { app, browser, codeFor, clock } = await buildApp(t)
  const anna = browser()
  const token = await anna.login(EMAIL, codeFor)
  clock.advance(15 * 60)
  const loggedOut = await app.inject({ method: 'POST', url: '/auth/logout', headers: { authorization: `Bearer ${token}` } })
  t.equal(loggedOut.statusCode, 200)
  clock.advance(-15 * 60)
  t.equal((await anna.get('/me', token)).status, 401)
})
