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

t.test('with the defaults, an attacker guesses into an account with odds of 1.5e-4 a day', async (t) => {
  t.equal(guessingOdds(defaults), 15e-5)
  t.equal(MAX_ODDS, 1e-3)
  t.equal(MAX_OTP_EXPIRY, 10 * MINUTE)
})

t.test('each additional digit makes the odds ten times smaller', async (t) => {
  t.equal(odds({ otpLength: 7 }), 15e-6)
  t.equal(odds({ otpLength: 8 }), 15e-7)
})

t.test('more failures, more attempts or more codes that are valid at once raise the odds', async (t) => {
  t.equal(odds({ failureLimits: { perDay: 40 } }), 19e-5)
  t.equal(odds({ maxOtpAttempts: 10 }), 26e-5)
  t.equal(odds({ cooldown: 0, sendLimits: { perHour: 8, perDay: 20, reservePerDay: 10 } }), 30e-5)
})

t.test('the hourly limit, the daily limit and the cooldown each bound the number of codes that are valid at once', async (t) => {
  t.equal(odds({ sendLimits: { perHour: 5, perDay: 2, reservePerDay: 0 } }), 6e-5)
  t.equal(odds({ cooldown: 5 * MINUTE }), 7e-5, 'codes at 0, 5 and 10 minutes')
  t.equal(odds({ cooldown: 60 * MINUTE }), 5e-5)
  t.equal(odds({ cooldown: 0, sendLimits: { perHour: 5, perDay: 20, reservePerDay: 10 } }), 24e-5, 'without a cooldown: the limits of two hours and the reserve')
  t.equal(odds({ otpExpiry: 90 * SECOND }), 6e-5, 'with a shorter expiry, fewer codes are valid at once')
})
