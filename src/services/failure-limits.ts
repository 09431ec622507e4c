import { DAY } from '../core/duration.ts'
import { unlimited } from './counter-windows.ts'
import type { Services } from './services.ts'

/**
 * Consecutive failures are counted from zero again after this time without a failure, so that a forgotten account gets short
 * codes again. NIST SP 800-63B sets no time after which consecutive failures are forgotten.
 */
const RESET_AFTER = 30 * DAY

/** @returns milliseconds until the failure limits allow short codes again; 0 if they do now */
export async function failureLimitWait (services: Services, key: string, now: number): Promise<number> {
  const { perDay, consecutive } = services.options.failureLimits
  const counter = await services.storage.readCounter(key)
  if (counter === null) return 0
  const dayWait = counter.longCount >= perDay ? counter.longFrom + DAY - now : 0
  const consecutiveWait = counter.consecutiveFailures >= consecutive ? counter.lastAt + RESET_AFTER - now : 0
  return Math.max(0, dayWait, consecutiveWait)
}

/**
 * Counts a wrong code for its address. If a remembered browser requested the code, the failure is also counted for that
 * browser (`deviceKey`).
 */
export async function countFailure (services: Services, emailHash: string, deviceKey: string | null, now: number): Promise<void> {
  const { storage, counterKeys, options: { failureLimits }, emit } = services
  const count = (key: string) => storage.countFailure({ key, now, window: DAY, lapse: RESET_AFTER })
  const { inWindow, consecutive } = await count(counterKeys.failures(emailHash))
  if (deviceKey !== null) await count(deviceKey)
  emit({ type: 'otp.failed', emailHash, failuresInDay: inWindow, consecutiveFailures: consecutive })
  if (inWindow === failureLimits.perDay || consecutive === failureLimits.consecutive) emit({ type: 'failure-limit.reached', emailHash })
}

/**
 * A correct code resets the number of consecutive failures. It does not reset the count of the day. Requesting a new code
 * resets neither (NIST SP 800-63B).
 */
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
  return await storage.incrementCounter({ key: counterKeys.unboundAttempts(emailHash), now, cooldown: 0, short, long: unlimited })
}
