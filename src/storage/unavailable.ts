import { loggableError } from '../core/error-causes.ts'
import { storageUnavailable } from '../errors.ts'
import type { OtpAuthStorage } from './contract.ts'
import { STORAGE_VERBS } from './verbs.ts'

/**
 * Wraps a storage so that each failure becomes `OTP_AUTH_STORAGE_UNAVAILABLE`, a 503. No use case continues after that error,
 * so no request is accepted unless storage confirmed it.
 */
export function withUnavailableErrors (storage: OtpAuthStorage): OtpAuthStorage {
  const verbs = storage as unknown as Record<string, (...input: unknown[]) => unknown>
  // `userId` is synchronous and does not access the database, so it needs no wrapper.
  const wrapped: Record<string, unknown> = { userId: storage.userId.bind(storage) }
  for (const verb of STORAGE_VERBS) {
    wrapped[verb] ??= async (...input: unknown[]) => {
      try {
        return await verbs[verb]!.apply(storage, input)
      } catch (error) {
        throw storageUnavailable(loggableError(error))
      }
    }
  }
  return wrapped as unknown as OtpAuthStorage
}
