import { invalidCode, userCreationFailed, withoutValues } from '../errors.ts'
import type { UserRecord } from '../storage/contract.ts'
import type { AppRequest, Services } from './services.ts'

interface Proof {
  /** The address that was just proven. */
  email: string
  /** The user with this address, if there was one after `startedAt`. */
  known: UserRecord | null
  /** When the proof began, in epoch milliseconds. */
  startedAt: number
  request: AppRequest
}

/**
 * Returns the verified user of an address that was just proven. Creates the user if there is none. Users are found and
 * changed by address only, never because some other constraint happened to collide.
 *
 * Before a user becomes verified, all older sessions of that user ID are revoked. Otherwise somebody could prepare an account
 * for its later owner, or a database could assign a deleted user's ID again, and an old session would still work. In this
 * order, a crash between the two steps leaves an unverified user, and the next proof repeats both.
 *
 * Under races: however many calls come at once, one user exists afterwards, and `isNew` is `true` for exactly one of them.
 *
 * @returns the user, and whether this call verified it
 * @throws userCreationFailed if one of the application's own constraints refused the new row
 */
export async function findOrCreateVerifiedUser (
  services: Services, { email, known, startedAt, request }: Proof
): Promise<{ user: UserRecord, isNew: boolean }> {
  const { storage } = services
  const user = known ?? await createUser(services, email, request)
  if (user.isVerified) return { user, isNew: false }
  await storage.revokeUserSessions({ userId: user.id, startedBefore: startedAt, now: startedAt })
  const verified = await storage.verifyUser(email)
  if (verified !== null) return { user: verified, isNew: true }
  const verifiedByAnotherCall = await storage.findUser(email)
  if (verifiedByAnotherCall === null) throw invalidCode()
  return { user: verifiedByAnotherCall, isNew: false }
}

async function createUser ({ storage, options, log }: Services, email: string, request: AppRequest): Promise<UserRecord> {
  // Without autoCreateUser, this user was deleted after the code was sent. The code no longer opens anything.
  if (!options.autoCreateUser) throw invalidCode()
  const fields = await options.newUserFields?.({ email, request }) ?? {}
  const created = await storage.insertUser({ email, fields })
  if ('user' in created) return created.user
  const createdByAnotherCall = await storage.findUser(email)
  if (createdByAnotherCall !== null) return createdByAnotherCall
  const cause = withoutValues(created.refused)
  cause.message = cause.message.replaceAll(email, '[address]')
  log.error({ err: cause }, 'A constraint of the users table refused a new user. Check the option newUserFields')
  throw userCreationFailed(cause)
}
