import type { Test } from 'tap'
import type { Answer, Browser } from './browser.ts'

const ANNA = 'anna@example.com'

/** A request to each route that has an IP rate limit. */
export const everyRoute = (browser: Browser): Record<string, () => Promise<Answer>> => ({
  'request-otp': () => browser.requestOtp(ANNA),
  'verify-otp': () => browser.verifyOtp(ANNA, '123456'),
  refresh: () => browser.refresh(),
  logout: () => browser.logout()
})

/** Every route responds with 503 and keeps the cookies. A user who is logged in stays logged in. */
export async function failsClosed (t: Test, anna: Browser, token: string, how: string): Promise<void> {
  const jar = [...anna.cookies]
  for (const [route, send] of Object.entries(everyRoute(anna))) {
    t.match(await send(), {
      status: 503, body: { code: 'OTP_AUTH_STORAGE_UNAVAILABLE' }, setCookies: { length: 0 }, headers: { 'cache-control': 'no-store' }
    }, `${how}: ${route}`)
  }
  t.strictSame([...anna.cookies], jar)
  t.equal((await anna.get('/me', token)).status, 200, `${how}: guards do not use the store`)
}
