import { loggableError } from '../core/error-causes.ts'
import { invalidCode, userCreationFailed } from '../errors.ts'
import type { UserRecord } from '../storage/contract.ts'
import { hideAddress } from './log.ts'
import type { AppRequest, Services } from './services.ts'

interface VerifiedEmail {
  /** The address that was just verified. */
  email: string
  /** The user with this address, if there was one after `startedAt`. */
  known: UserRecord | null
  /** When the verification started, in epoch milliseconds. */
  startedAt: number
  request: AppRequest
}

/**
 * Marks the user of an address as verified, and creates the user if there is none. Only the address identifies a user. If
 * another unique constraint refuses the new row, the existing row with that value is not used.
 *
 * Before a user becomes verified, all older sessions of that user ID are revoked. Otherwise an attacker who created the account
 * first would keep a session after its owner logs in (account pre-hijacking). The same applies if the database reuses the ID of
 * a deleted user. In this order, a crash between the two steps leaves an unverified user, and the next login repeats both.
 *
 * Under races: however many calls come at once, one user exists afterwards, and `isNewUser` is `true` for exactly one of them.
 *
 * @returns the user, and whether this call verified the user for the first time
 * @throws OTP_AUTH_INVALID_CODE if the user was deleted meanwhile
 * @throws OTP_AUTH_USER_CREATION_FAILED if one of the application's own constraints refused the new row
 */
export async function findOrCreateVerifiedUser (
  services: Services, { email, known, startedAt, request }: VerifiedEmail
): Promise<{ user: UserRecord, isNewUser: boolean }> {
  const { storage } = services
  const user = known ?? await createUser(services, email, request)
  if (user.isVerified) return { user, isNewUser: false }
  await storage.revokeUserSessions({ userId: user.id, startedBefore: startedAt, now: startedAt })
  const verified = await storage.verifyUser(email)
  if (verified !== null) return { user: verified, isNewUser: true }
  const verifiedByAnotherCall = await storage.findUser(email)
  if (verifiedByAnotherCall === null) throw invalidCode()
  return { user: verifiedByAnotherCall, isNewUser: false }
}

async function createUser ({ storage, options, log }: Services, email: string, request: AppRequest): Promise<UserRecord> {
  // Without autoCreateUser, this user was deleted after the code was sent. The code no longer logs anyone in.
  if (!options.autoCreateUser) throw invalidCode()
  const fields = await options.newUserFields?.({ email, request }) ?? {}
  const created = await storage.insertUser({ email, fields })
  if ('user' in created) return created.user
  const createdByAnotherCall = await storage.findUser(email)
  if (createdByAnotherCall !== null) return createdByAnotherCall
  const cause = loggableError(created.refused)
  cause.message = hideAddress(cause.message, email)
  log.error({ err: cause }, 'A constraint of the users table refused a new user. Check the option newUserFields')
  throw userCreationFailed(cause)
}
