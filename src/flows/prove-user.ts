import { invalidCode, userCreationFailed, withoutValues } from '../errors.ts'
import type { UserRecord } from '../storage/storage.ts'
import type { Flow, HostRequest } from './flow.ts'

interface Proof {
  email: string
  /** The user as it was found after `startedAt`, if there was one. */
  known: UserRecord | null
  /** When the proof began, in epoch milliseconds. */
  startedAt: number
  request: HostRequest
}

/**
 * The verified user of an address that was just proven: turned verified, and made before that where there was none,
 * however many callers come at once. Users are found and changed by address alone, never by a constraint that happened
 * to collide.
 *
 * Before a user turns verified, the sessions of that id that began before the proof end: an account that somebody
 * prepared for the owner to walk into, or an id that the database gave out again, keeps no way in. In this order a crash
 * between the two leaves an unverified user, whose next proof does both again.
 *
 * @returns the user, and whether this caller is the one that turned it
 * @throws userCreationFailed where a constraint of the host's own refused the new row
 */
export async function proveUser (flow: Flow, { email, known, startedAt, request }: Proof): Promise<{ user: UserRecord, isNew: boolean }> {
  const { storage } = flow
  const user = known ?? await makeUser(flow, email, request)
  if (user.isVerified) return { user, isNew: false }
  await storage.revokeUserSessions({ userId: user.id, startedBefore: startedAt, now: startedAt })
  const turned = await storage.verifyUser(email)
  if (turned !== null) return { user: turned, isNew: true }
  const turnedByAnother = await storage.findUser(email)
  if (turnedByAnother === null) throw invalidCode()
  return { user: turnedByAnother, isNew: false }
}

async function makeUser ({ storage, options, log }: Flow, email: string, request: HostRequest): Promise<UserRecord> {
  // Where users are not made here, this one was deleted since it was mailed: its code opens nothing any more.
  if (!options.autoCreateUser) throw invalidCode()
  const fields = await options.newUserFields?.({ email, request }) ?? {}
  const made = await storage.insertUser({ email, fields })
  if ('user' in made) return made.user
  const madeByAnother = await storage.findUser(email)
  if (madeByAnother !== null) return madeByAnother
  const cause = withoutValues(made.refused)
  cause.message = cause.message.replaceAll(email, '[address]')
  log.error({ err: cause }, 'a constraint of the users table refused a new user: see newUserFields')
  throw userCreationFailed(cause)
}
