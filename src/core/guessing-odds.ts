import { MINUTE } from './duration.ts'

/** NIST SP 800-63B, section 5.1.3.2. */
export const MAX_OTP_EXPIRY = 10 * MINUTE

/** The highest odds with which the plugin starts: one in a thousand, per account and day. */
export const MAX_ODDS = 1e-3

interface OddsInput {
  otpLength: number
  otpExpiry: number
  maxOtpAttempts: number
  cooldown: number
  sendLimits: { perHour: number, perDay: number, reservePerDay: number }
  failureLimits: { perDay: number }
}

/**
 * The probability that an attacker guesses a code of one account within a day. Two kinds of attempts are counted: those that
 * the failure limit allows, and those on short codes that are still valid when the limit is reached. Each attempt is compared
 * with two codes: the newest one and the one before it.
 */
export function guessingOdds ({ otpLength, otpExpiry, maxOtpAttempts, cooldown, sendLimits, failureLimits }: OddsInput): number {
  // Windows are fixed, so the life of one code can cover the end of one hour and the start of the next. The reserve is added,
  // and its emails are also one cooldown apart. Without a cooldown this quotient is infinite and limits nothing.
  const byCooldown = Math.floor(otpExpiry / cooldown) + 1
  const validCodes = Math.min(Math.min(2 * sendLimits.perHour, sendLimits.perDay) + sendLimits.reservePerDay, byCooldown)
  return (failureLimits.perDay + validCodes * maxOtpAttempts) * 2 / 10 ** otpLength
}
