import t from 'tap'
import { fuzz } from '../helpers/fuzz/campaign.ts'

/** Responses that a short run must reach. If nobody logs in, the run tests little. */
const REACHED = [
  '/auth/request-otp 200', '/auth/request-otp 400', '/auth/request-otp 403', '/auth/request-otp 415', '/auth/request-otp 429', '/auth/request-otp 503',
  '/auth/verify-otp 200', '/auth/verify-otp 400', '/auth/verify-otp 401', '/auth/refresh 200', '/auth/refresh 401', '/auth/logout 200',
  '/me 200', '/me 401', '/verified 200', '/verified 401', '/verified 403', '/optional 200', '/optional 401', 'none 404', 'no request 400', 'no request 431'
]

// The long run, `npm run fuzz`, uses new seeds each time. Here the seed is fixed, so a failure can be repeated.
t.test('1,500 generated requests, valid and malformed, get only documented responses and leave no unexplained rows or emails', async (t) => {
  const { faults, answers } = await fuzz({ seed: 20_260_115, requests: 1_500 })
  t.strictSame(faults, [])
  t.strictSame(REACHED.filter((kind) => !answers.has(kind)), [], 'every kind of response was reached')
})
