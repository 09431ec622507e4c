import { storageUnavailable } from '../errors.ts'
import type { OtpAuthStorage } from './storage.ts'

/** Every verb of the contract, so that an adapter that lacks one is refused at boot. */
export const STORAGE_VERBS = [
  'insertChallenge', 'renewChallenge', 'withdrawCode', 'tryCode', 'consumeCode', 'findChallenge', 'hasLiveChallenge',
  'takeBudget', 'returnBudget', 'countFailure', 'clearFailuresInARow', 'readBudget',
  'findUser', 'verifyUser', 'insertUser', 'userId',
  'insertSession', 'loadSession', 'rotateSession', 'revokeSession', 'revokeUserSessions', 'listSessions',
  'removeExpired', 'hasMixedCaseEmails'
] as const satisfies ReadonlyArray<keyof OtpAuthStorage>

/**
 * The same storage, whose every failure is `OTP_AUTH_STORAGE_UNAVAILABLE`: no flow goes on past it, so nothing is let
 * through that storage did not answer for.
 */
export function failClosed (storage: OtpAuthStorage): OtpAuthStorage {
  const verbs = storage as unknown as Record<string, (...input: unknown[]) => unknown>
  const guarded: Record<string, unknown> = { userId: storage.userId.bind(storage) }
  for (const verb of STORAGE_VERBS) {
    guarded[verb] ??= async (...input: unknown[]) => {
      try {
        return await verbs[verb]!.apply(storage, input)
      } catch (error) {
        throw storageUnavailable(withoutValues(error))
      }
    }
  }
  return guarded as unknown as OtpAuthStorage
}

/**
 * What the driver said, for the log: the innermost message and code alone. The layers above it quote the statement with
 * its parameters, which are addresses and MACs.
 */
export function withoutValues (error: unknown): Error {
  let innermost = error
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause
  const { message, code } = innermost instanceof Error ? innermost as Error & { code?: unknown } : { message: String(innermost) }
  // In the message, for a logger that follows causes prints their messages alone.
  return new Error(code === undefined ? message : `${message} (${String(code)})`)
}
