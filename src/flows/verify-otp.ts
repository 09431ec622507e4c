import { rememberDevice, type Device } from '../core/device.ts'
import { LONG_CODE_LENGTH, macOfCode, normalizeCode } from '../core/otp-code.ts'
import type { RefreshToken } from '../core/tokens.ts'
import { invalidCode, tooManyAttempts } from '../errors.ts'
import type { UnboundGuess } from '../storage/storage.ts'
import { clearFailuresInARow, countFailure, failureBudgetWait, takeUnboundGuess } from './budgets.ts'
import { isAllowed, normalizeEmail, type Flow, type HostRequest } from './flow.ts'
import { proveUser } from './prove-user.ts'
import { endSession, startSession, type SessionTokens } from './sessions.ts'

export interface OtpGuess {
  email: string
  code: string
  requestId: string | undefined
  device: Device | null
  /** The session whose refresh cookie the browser presents: it ends with the login. */
  presented: RefreshToken | null
  request: HostRequest
}

export interface LoggedIn {
  tokens: SessionTokens
  deviceCookie: string
}

/** One guess, read: what it is compared with is decided by the challenge it finds. */
interface Guess extends UnboundGuess {
  codeLength: number
}

/**
 * Compares a guess and logs in where it fits. The order of writes is challenge, failures, user, session: a crash between
 * two of them costs a new code and leaves nothing half done.
 */
export async function verifyOtp (flow: Flow, input: OtpGuess): Promise<LoggedIn> {
  const { options: { clock, random, maxOtpAttempts }, keyring, keys, emit } = flow
  const now = clock()
  const email = normalizeEmail(flow, input.email)
  const subject = keyring.subject(email)
  const code = normalizeCode(input.code)
  const macs = keys.code.map((key) => macOfCode(key, subject, code))
  const guess: Guess = { subject, macs, codeLength: code.length, maxAttempts: maxOtpAttempts, now }

  const { deviceKey } = await consume(flow, input.requestId, guess)
  await clearFailuresInARow(flow, subject, deviceKey)
  const startedAt = clock()
  const known = await flow.storage.findUser(email)
  if (!await isAllowed(flow, email, known?.row ?? null, input.request, 'verify')) throw invalidCode()
  const { user, isNew } = await proveUser(flow, { email, known, startedAt, request: input.request })
  const tokens = await startSession(flow, user, input.request)
  // Once there is a new one: where the host's claims fail, the browser keeps the session that it has.
  if (input.presented !== null) await endSession(flow, input.presented, 'replaced')

  emit({ type: 'otp.verified', subject, userId: user.id, sessionId: tokens.sessionId, isNewUser: isNew })
  return { tokens, deviceCookie: rememberDevice(input.device, subject, keys.device[0]!, clock(), random) }
}

/** Consumes the challenge that the guess opens. @throws invalidCode or tooManyAttempts where it opens none */
async function consume (flow: Flow, requestId: string | undefined, guess: Guess): Promise<{ deviceKey: string | null }> {
  return (requestId === undefined ? null : await consumeBound(flow, requestId, guess)) ?? await consumeUnbound(flow, guess)
}

/**
 * A guess that carries a request id counts against that challenge alone: who knows only the address can neither use up
 * its tries nor see them.
 *
 * @returns `null` where the id counts as none: unknown, ended, consumed or another subject's
 */
async function consumeBound (flow: Flow, id: string, guess: Guess): Promise<{ deviceKey: string | null } | null> {
  const { storage, options: { maxOtpAttempts } } = flow
  const outcome = await storage.tryCode({ ...guess, id })
  if (outcome !== null) {
    if (outcome.accepted) return outcome
    await countFailure(flow, guess.subject, outcome.deviceKey, guess.now)
    throw invalidCode(maxOtpAttempts - outcome.attempts)
  }
  const challenge = await storage.findChallenge(id)
  if (challenge === null || challenge.subject !== guess.subject || challenge.expiresAt <= guess.now) return null
  if (challenge.consumedAt !== null) {
    // A double click: the code that opened it, once more. It is refused like any used code, and charges nobody.
    if (guess.macs.includes(challenge.codeMac) || guess.macs.includes(challenge.previousMac ?? '')) throw invalidCode()
    return null
  }
  if (challenge.attempts >= maxOtpAttempts) throw tooManyAttempts()
  // Not of the challenge's length: wrong, and no try was taken.
  throw invalidCode(maxOtpAttempts - challenge.attempts)
}

/**
 * A guess by address and code alone (asked on the phone, typed on the laptop) draws on a budget of the subject's. Every
 * failure is the same plain answer, for whoever asks may be a stranger.
 */
async function consumeUnbound (flow: Flow, guess: Guess): Promise<{ deviceKey: string | null }> {
  const { storage, keyring, options } = flow
  const { subject, codeLength, now } = guess
  if (options.requireRequestId) throw invalidCode()
  if (!await storage.hasLiveChallenge({ subject, codeLength, maxAttempts: guess.maxAttempts, now })) throw invalidCode()
  const isShort = codeLength < LONG_CODE_LENGTH
  if (isShort && await failureBudgetWait(flow, keyring.failures(subject), now) > 0) throw invalidCode()
  if (!await takeUnboundGuess(flow, subject, now)) throw invalidCode()
  const consumed = await storage.consumeCode(guess)
  if (consumed !== null) return consumed
  await countFailure(flow, subject, null, now)
  throw invalidCode()
}
