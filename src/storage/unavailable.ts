import { storageUnavailable, withoutValues } from '../errors.ts'
import type { OtpAuthStorage } from './contract.ts'

/**
 * Every verb of the contract. The compiler demands that the list is complete: a verb that is missing here would not be
 * wrapped, and its failures would be a 500.
 */
const VERBS = {
  insertChallenge: true,
  renewChallenge: true,
  withdrawCode: true,
  tryCode: true,
  consumeCode: true,
  findChallenge: true,
  hasLiveChallenge: true,
  incrementCounter: true,
  decrementCounter: true,
  countFailure: true,
  resetConsecutiveFailures: true,
  readCounter: true,
  findUser: true,
  verifyUser: true,
  insertUser: true,
  userId: true,
  insertSession: true,
  loadSession: true,
  rotateSession: true,
  revokeSession: true,
  revokeUserSessions: true,
  listSessions: true,
  removeExpired: true,
  hasMixedCaseEmails: true
} satisfies Record<keyof OtpAuthStorage, true>

/** An adapter that lacks one of these is refused at boot. */
export const STORAGE_VERBS = Object.keys(VERBS) as Array<keyof OtpAuthStorage>

/**
 * Wraps a storage so that each failure becomes `OTP_AUTH_STORAGE_UNAVAILABLE`, a 503. No use case continues after that error,
 * so nobody is let in without the storage's consent.
 */
export function withUnavailableErrors (storage: OtpAuthStorage): OtpAuthStorage {
  const verbs = storage as unknown as Record<string, (...input: unknown[]) => unknown>
  const wrapped: Record<string, unknown> = { userId: storage.userId.bind(storage) }
  for (const verb of STORAGE_VERBS) {
    wrapped[verb] ??= async (...input: unknown[]) => {
      try {
        return await verbs[verb]!.apply(storage, input)
      } catch (error) {
        throw storageUnavailable(withoutValues(error))
      }
    }
  }
  return wrapped as unknown as OtpAuthStorage
}
