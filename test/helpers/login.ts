import type { Test } from 'tap'
import { buildApp, openStorage } from './app.ts'
import { spyStorage } from './spy-storage.ts'
import { SECRET, claimsOf, keyFor } from './jwt.ts'

/** The key and the header of access tokens, and the cookie of refresh tokens. */
export const ACCESS = keyFor('access')
export const HEADER = { alg: 'HS256', typ: 'at+jwt' }
export const REFRESH_COOKIE = '__Host-refresh_token'

const EMAIL = 'anna@example.com'

type Options = Parameters<typeof buildApp>[1]

/** An application with a logged-in user. `accepts` sends a token to guards that call storage and to one that does not. */
export async function loggedIn (t: Test, options: Options = {}) {
  const { storage: real } = openStorage(t)
  const { storage, calls } = spyStorage(real)
  const built = await buildApp(t, {
    secretKey: SECRET,
    storage,
    ...options,
    after: (app) => { app.get('/claims', { onRequest: [app.customClaims] }, async (request) => request.customClaims) }
  })
  const { browser, codeFor } = built
  const anna = browser()
  const token = await anna.login(EMAIL, codeFor)

  async function accepts (given: string): Promise<boolean> {
    const answers = [await anna.get('/me', given), await anna.get('/verified', given), await anna.get('/claims', given)]
    const statuses = new Set(answers.map(({ status }) => status))
    if (statuses.size !== 1) throw new Error(`the guards give different responses: ${[...statuses].join(', ')}`)
    if (statuses.has(200)) return true
    for (const { status, body, headers } of answers) {
      t.match({ status, body, challenge: headers['www-authenticate'] }, {
        status: 401, body: { code: 'OTP_AUTH_INVALID_TOKEN' }, challenge: 'Bearer error="invalid_token"'
      })
    }
    return false
  }

  /** Each token is refused without a storage call. */
  async function refuses (t: Test, forged: Record<string, string>): Promise<void> {
    for (const [name, given] of Object.entries(forged)) {
      calls.length = 0
      t.notOk(await accepts(given), name)
      t.strictSame(calls, [], `${name}: storage is not called`)
    }
  }
  return { ...built, anna, token, claims: claimsOf(token), accepts, refuses, calls }
}
