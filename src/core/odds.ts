import { MINUTE } from './duration.ts'

/** The odds past which the plugin refuses to start: one in a thousand, per account and day. */
export const MAX_ODDS = 1e-3

interface OddsInput {
  otpLength: number
  otpExpiry: number
  maxOtpAttempts: number
  cooldown: number
  sendBudget: { perHour: number, perDay: number, reservePerDay: number }
  failureBudget: { perDay: number }
}

/**
 * The odds that a stranger guesses into one account in a day: the failures that the budget allows, and the tries of the
 * short codes that may still be out when it is spent, against the newest code and the one before it.
 */
export function guessingOdds ({ otpLength, otpExpiry, maxOtpAttempts, cooldown, sendBudget, failureBudget }: OddsInput): number {
  // Windows are fixed, so the life of one code may see the end of one hour's budget and the beginning of the next one's. The
  // reserve comes on top, one cool-down apart like the rest. Without a cool-down this quotient is infinite and bounds nothing.
  const byCooldown = Math.floor(otpExpiry / cooldown) + 1
  const codesOut = Math.min(Math.min(2 * sendBudget.perHour, sendBudget.perDay) + sendBudget.reservePerDay, byCooldown)
  return (failureBudget.perDay + codesOut * maxOtpAttempts) * 2 / 10 ** otpLength
}

/** NIST SP 800-63B, section 5.1.3.2. */
export const MAX_OTP_EXPIRY = 10 * MINUTE
