import t from 'tap'
import { MINUTE, SECOND } from '../../../src/core/duration.ts'
import { MAX_ODDS, MAX_OTP_EXPIRY, guessingOdds } from '../../../src/core/guessing-odds.ts'

const defaults = {
  otpLength: 6,
  otpExpiry: 10 * MINUTE,
  maxOtpAttempts: 5,
  cooldown: MINUTE,
  sendLimits: { perHour: 5, perDay: 10, reservePerDay: 10 },
  failureLimits: { perDay: 20 }
}
const odds = (changed: Partial<typeof defaults>) => guessingOdds({ ...defaults, ...changed })

t.test('a stranger guesses into an account with odds of 1.5e-4 a day at the defaults', async (t) => {
  t.equal(guessingOdds(defaults), 15e-5)
  t.equal(MAX_ODDS, 1e-3)
  t.equal(MAX_OTP_EXPIRY, 10 * MINUTE)
})

t.test('each digit more is ten times safer', async (t) => {
  t.equal(odds({ otpLength: 7 }), 15e-6)
  t.equal(odds({ otpLength: 8 }), 15e-7)
})

t.test('more failures, more tries or more codes out at once raise them', async (t) => {
  t.equal(odds({ failureLimits: { perDay: 40 } }), 19e-5)
  t.equal(odds({ maxOtpAttempts: 10 }), 26e-5)
  t.equal(odds({ cooldown: 0, sendLimits: { perHour: 8, perDay: 20, reservePerDay: 10 } }), 30e-5)
})

t.test('the codes out at once are bounded by the hour, the day and the cool-down, whichever is least', async (t) => {
  t.equal(odds({ sendLimits: { perHour: 5, perDay: 2, reservePerDay: 0 } }), 6e-5)
  t.equal(odds({ cooldown: 5 * MINUTE }), 7e-5, 'at 0, 5 and 10 minutes')
  t.equal(odds({ cooldown: 60 * MINUTE }), 5e-5)
  t.equal(odds({ cooldown: 0, sendLimits: { perHour: 5, perDay: 20, reservePerDay: 10 } }), 24e-5, "no cool-down: two hours' budgets and the reserve")
  t.equal(odds({ otpExpiry: 90 * SECOND }), 6e-5, 'short-lived codes are fewer at once')
})
