import { DAY, HOUR, type Limits } from './counts.ts'

/** The options of the plugin, small enough that a short sequence reaches each limit. Times are in seconds. */
export const settings = {
  otpExpiry: 600,
  maxOtpAttempts: 3,
  otpRateLimitSeconds: 60,
  sendLimits: { perHour: 3, perDay: 4, reservePerDay: 2, perNetworkPerHour: 2, perDevicePerHour: 2, perDevicePerDay: 3 },
  failureLimits: { perDay: 3, consecutive: 5 },
  accessTokenLifetime: 900,
  refreshTokenLifetime: 7 * 86_400,
  sessionLifetime: 30 * 86_400,
  refreshGracePeriod: 30
}

export const expiry = settings.otpExpiry * 1000
export const cooldown = settings.otpRateLimitSeconds * 1000
export const grace = settings.refreshGracePeriod * 1000
export const attemptLimit = settings.maxOtpAttempts
export const SHORT = 6
export const LONG = 13
const perHour = (limit: number) => ({ length: HOUR, limit })
const perDay = (limit: number) => ({ length: DAY, limit })
const { sendLimits } = settings
export const toMailbox: Limits = { cooldown, short: perHour(sendLimits.perHour), long: perDay(sendLimits.perDay) }
export const fromReserve: Limits = { cooldown, long: perDay(sendLimits.reservePerDay) }
export const fromNetwork: Limits = { short: perHour(sendLimits.perNetworkPerHour) }
export const toDevice: Limits = { cooldown, short: perHour(sendLimits.perDevicePerHour), long: perDay(sendLimits.perDevicePerDay) }
export const refunds: Limits = { short: perHour(3) }
export const unboundAttempts: Limits = { short: { length: expiry, limit: attemptLimit } }
