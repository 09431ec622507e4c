import { rememberDevice, type Device } from '../core/device-cookie.ts'
import { LONG_CODE_LENGTH, macOfCode, normalizeCode } from '../core/otp-code.ts'
import type { RefreshToken } from '../core/tokens.ts'
import { invalidCode, tooManyAttempts } from '../errors.ts'
import { isAllowed } from '../services/access.ts'
import { normalizeEmail } from '../services/email.ts'
import { countFailure, countUnboundAttempt, failureLimitWait, resetConsecutiveFailures } from '../services/failure-limits.ts'
import { endSession, startSession, type SessionTokens } from '../services/sessions.ts'
import type { AppRequest, Services } from '../services/services.ts'
import { findOrCreateVerifiedUser } from '../services/users.ts'
import type { BoundAttempt } from '../storage/contract.ts'

export interface VerifyOtpInput {
  email: string
  code: string
  requestId: string | undefined
  device: Device | null
  /** The refresh token in the browser's cookie, if any. The login ends its session. */
  replacedToken: RefreshToken | null
  request: AppRequest
}

export interface LoggedIn {
  tokens: SessionTokens
  deviceCookie: string
}

/** An attempt of either kind. A bound attempt also has the request ID. */
type Attempt = Omit<BoundAttempt, 'id'>

/** The challenge that an attempt used up. */
interface UsedChallenge {
  /** Key of the browser's failure counter. `null` if the code was not requested by a remembered browser. */
  deviceKey: string | null
}

/**
 * Checks a code and logs the user in.
 *
 * The writes come in this order: challenge, failures, user, session. If the process crashes between two of them, the user must
 * request a new code, and nothing has to be repaired.
 *
 * @throws OTP_AUTH_INVALID_CODE or OTP_AUTH_TOO_MANY_ATTEMPTS
 * @throws OTP_AUTH_USER_CREATION_FAILED if one of the application's own constraints refused a new user
 */
export async function verifyOtp (services: Services, input: VerifyOtpInput): Promise<LoggedIn> {
  const { options: { clock, random, maxOtpAttempts }, counterKeys, keys, emit } = services
  const now = clock()
  const email = normalizeEmail(services, input.email)
  const emailHash = counterKeys.emailHash(email)
  const code = normalizeCode(input.code)
  const macs = keys.code.map((key) => macOfCode(key, emailHash, code))
  const attempt: Attempt = { emailHash, macs, codeLength: code.length, maxAttempts: maxOtpAttempts, now }

  const { deviceKey } = await useChallenge(services, input.requestId, attempt)
  await resetConsecutiveFailures(services, emailHash, deviceKey)
  const startedAt = clock()
  const known = await services.storage.findUser(email)
  if (!await isAllowed(services, email, known?.row ?? null, input.request, 'verify')) throw invalidCode()
  const { user, isNewUser } = await findOrCreateVerifiedUser(services, { email, known, startedAt, request: input.request })
  const tokens = await startSession(services, user, input.request)
  // Ends the old session last, so that the browser keeps it if getAdditionalClaims fails.
  if (input.replacedToken !== null) await endSession(services, input.replacedToken, 'replaced')

  emit({ type: 'otp.verified', emailHash, userId: user.id, sessionId: tokens.sessionId, isNewUser })
  return { tokens, deviceCookie: rememberDevice(input.device, emailHash, keys.device[0]!, clock(), random) }
}

/** Finds and uses up the challenge that the code matches. @throws OTP_AUTH_INVALID_CODE or OTP_AUTH_TOO_MANY_ATTEMPTS if there is none */
async function useChallenge (services: Services, requestId: string | undefined, attempt: Attempt): Promise<UsedChallenge> {
  const used = requestId === undefined ? null : await tryBoundAttempt(services, requestId, attempt)
  return used ?? await tryUnboundAttempt(services, attempt)
}

/**
 * An attempt with a request ID counts only against that challenge. Other people, who know only the address, can neither use
 * up its attempts nor see how many are left.
 *
 * @returns `null` if the request ID is ignored: it is unknown, expired, used or belongs to another address
 */
async function tryBoundAttempt (services: Services, id: string, attempt: Attempt): Promise<UsedChallenge | null> {
  const { storage, options: { maxOtpAttempts } } = services
  const result = await storage.tryCode({ ...attempt, id })
  if (result !== null) {
    if (result.accepted) return result
    await countFailure(services, attempt.emailHash, result.deviceKey, attempt.now)
    throw invalidCode(maxOtpAttempts - result.attempts)
  }
  const challenge = await storage.findChallenge(id)
  if (challenge === null || challenge.emailHash !== attempt.emailHash || challenge.expiresAt <= attempt.now) return null
  if (challenge.consumedAt !== null) {
    // A double click sends the same code twice. The second one is refused like any used code, and is not counted as a failure.
    if (attempt.macs.includes(challenge.codeMac) || attempt.macs.includes(challenge.previousMac ?? '')) throw invalidCode()
    return null
  }
  if (challenge.attempts >= maxOtpAttempts) throw tooManyAttempts()
  // The code has another length than the challenge's codes: it is wrong, but it was not compared and not counted.
  throw invalidCode(maxOtpAttempts - challenge.attempts)
}

/**
 * An attempt with only address and code, for example if the code was requested on a phone and typed on a laptop. These
 * attempts share one limit per address. Every failure gives the same response, because the sender may be an attacker.
 */
async function tryUnboundAttempt (services: Services, attempt: Attempt): Promise<UsedChallenge> {
  const { storage, counterKeys, options } = services
  const { emailHash, codeLength, maxAttempts, now } = attempt
  if (options.requireRequestId) throw invalidCode()
  if (!await storage.hasLiveChallenge({ emailHash, codeLength, maxAttempts, now })) throw invalidCode()
  const isShort = codeLength < LONG_CODE_LENGTH
  if (isShort && await failureLimitWait(services, counterKeys.failures(emailHash), now) > 0) throw invalidCode()
  if (!await countUnboundAttempt(services, emailHash, now)) throw invalidCode()
  const used = await storage.consumeCode(attempt)
  if (used !== null) return used
  await countFailure(services, emailHash, null, now)
  throw invalidCode()
}
