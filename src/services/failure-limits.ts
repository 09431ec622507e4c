import { DAY } from '../core/duration.ts'
import type { Services } from './services.ts'

/**
 * NIST SP 800-63B counts consecutive failures without an end. Here the count starts again after 30 days without a failure,
 * so that a forgotten account gets short codes again.
 */
const FAILURES_LAPSE = 30 * DAY

/** @returns milliseconds until the failure limits allow short codes again; 0 if they do now */
export async function failureLimitWait (services: Services, key: string, now: number): Promise<number> {
  const { perDay, consecutive } = services.options.failureLimits
  const counter = await services.storage.readCounter(key)
  if (counter === null) return 0
  const dayEnds = counter.longCount >= perDay ? counter.longFrom + DAY - now : 0
  const consecutiveLapses = counter.consecutiveFailures >= consecutive ? counter.lastAt + FAILURES_LAPSE - now : 0
  return Math.max(0, dayEnds, consecutiveLapses)
}

/**
 * Counts a wrong code for its address. If a remembered browser asked for the code, the failure is also counted for that
 * browser (`deviceKey`).
 */
export async function countFailure (services: Services, emailHash: string, deviceKey: string | null, now: number): Promise<void> {
  const { storage, counterKeys, options: { failureLimits }, emit } = services
  const count = (key: string) => storage.countFailure({ key, now, window: DAY, lapse: FAILURES_LAPSE })
  const { inWindow, consecutive } = await count(counterKeys.failures(emailHash))
  if (deviceKey !== null) await count(deviceKey)
  emit({ type: 'otp.failed', emailHash, failuresInDay: inWindow, consecutiveFailures: consecutive })
  if (inWindow === failureLimits.perDay || consecutive === failureLimits.consecutive) emit({ type: 'failure-limit.reached', emailHash })
}

/** A right code ends the series of consecutive failures. The day's count stays: a new code resets nothing (NIST SP 800-63B). */
export async function resetConsecutiveFailures (
  { storage, counterKeys }: Services, emailHash: string, deviceKey: string | null
): Promise<void> {
  await storage.resetConsecutiveFailures(counterKeys.failures(emailHash))
  if (deviceKey !== null) await storage.resetConsecutiveFailures(deviceKey)
}

/**
 * Counts one attempt without a request ID. Each address allows `maxOtpAttempts` of them per `otpExpiry`.
 * @returns whether it was allowed
 */
export async function countUnboundAttempt ({ storage, counterKeys, options }: Services, emailHash: string, now: number): Promise<boolean> {
  const short = { length: options.otpExpiry, limit: options.maxOtpAttempts }
  const long = { length: DAY, limit: Number.MAX_SAFE_INTEGER }
  return await storage.incrementCounter({ key: counterKeys.unboundAttempts(emailHash), now, cooldown: 0, short, long })
}
