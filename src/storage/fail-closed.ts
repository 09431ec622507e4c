import { storageUnavailable, withoutValues } from '../errors.ts'
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
