import { invalidCode, userCreationFailed } from '../errors.ts'
import { withoutValues } from '../storage/fail-closed.ts'
import type { UserRecord } from '../storage/storage.ts'
import type { Flow, HostRequest } from './flow.ts'

/**
 * The verified user of an address that was just proven: turned verified or made, however many callers come at once.
 * Users are found and changed by address alone, never by a constraint that happened to collide.
 *
 * @returns the user, and whether this caller is the one that turned or made it
 * @throws userCreationFailed where a constraint of the host's own refused the new row
 */
export async function proveUser (flow: Flow, email: string, request: HostRequest): Promise<{ user: UserRecord, isNew: boolean }> {
  const { storage, options: { autoCreateUser, clock } } = flow
  const startedAt = clock()
  const turned = await storage.verifyUser(email)
  if (turned !== null) return await claim(flow, turned, startedAt)

  // Where users are not made here, this one was deleted since it was mailed: its code opens nothing any more.
  const made = autoCreateUser ? await makeUser(flow, email, request) : { refused: invalidCode() }
  if ('user' in made) return await claim(flow, made.user, startedAt)

  // The row may be another caller's, made or prepared a moment ago.
  const turnedLate = await storage.verifyUser(email)
  if (turnedLate !== null) return await claim(flow, turnedLate, startedAt)
  const others = await storage.findUser(email)
  if (others !== null) return { user: others, isNew: false }
  throw made.refused
}

/**
 * Ends the sessions of that id that began before the proof: an account that somebody prepared for the owner to walk into,
 * or an id that the database gave out again, keeps no way in.
 */
async function claim ({ storage }: Flow, user: UserRecord, startedAt: number): Promise<{ user: UserRecord, isNew: true }> {
  await storage.revokeUserSessions({ userId: user.id, startedBefore: startedAt, now: startedAt })
  return { user, isNew: true }
}

async function makeUser (
  { storage, options, log }: Flow, email: string, request: HostRequest
): Promise<{ user: UserRecord } | { refused: Error }> {
  const fields = await options.newUserFields?.({ email, request }) ?? {}
  const made = await storage.insertUser({ email, fields })
  if ('user' in made) return made
  const cause = withoutValues(made.refused)
  cause.message = cause.message.replaceAll(email, '[address]')
  log.info({ err: cause }, 'the users table refused a new row')
  return { refused: userCreationFailed(cause) }
}
