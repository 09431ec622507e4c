import type { Collection, CollectionOptions, Db } from 'mongodb'
import type { ExpiringKind, OtpAuthStorage } from '../contract.ts'
import { counterVerbs } from './counters.ts'
import { challengeVerbs } from './challenges.ts'
import type { CounterDocument, ChallengeDocument, SessionDocument, UserDocument } from './documents.ts'
import { refuseUnknownNames } from '../adapter-options.ts'
import { sessionVerbs } from './sessions.ts'
import { boundedBy, type Limits } from './shared.ts'
import { ensureUniqueEmail, findUserById, userVerbs } from './users.ts'

export type { CounterDocument, ChallengeDocument, SessionDocument, UserDocument } from './documents.ts'

export interface MongodbStorageOptions<User extends UserDocument = UserDocument> {
  /**
   * The host's own users: `email`, `isVerified`, an `_id` that is an ObjectId, a string or a number, and whatever else
   * it likes. A new user gets the `_id` that `newUserFields` gave, else one from the client's `pkFactory`.
   * @default the collection `<prefix>users`
   */
  users?: Collection<User>
  /** What the names of the collections `challenges`, `budgets`, `sessions` and `users` begin with. @default 'otp_' */
  prefix?: string
  /**
   * Milliseconds that a verb may take, the wait for a server and for a free connection included, before it rejects; at least 10.
   * @default 5000
   */
  timeout?: number
}

export interface MongodbStorage extends OtpAuthStorage {
  /**
   * Makes the indexes: unique addresses, one for each lookup, and TTL ones that remove what has been over for an hour.
   * Call it once at boot; any number of processes may do so at once. A unique index of the host's own on `email` is taken
   * for ours. **Without one, two first sign-ins at once make two users.**
   */
  ensureIndexes (): Promise<void>
}

/** Nothing here leans on the TTL monitor: it only tidies, an hour late, so that a fast clock removes nothing alive. */
const expireAfterSeconds = 3600

/**
 * Our collections are ours alone: what the host's client is set to must not change what they do. `majority`, because a
 * try, a logout or a used code that a fail-over takes back would be a hole.
 */
const collectionOptions = {
  readPreference: 'primary',
  writeConcern: { w: 'majority' },
  promoteValues: true,
  promoteLongs: true,
  useBigInt64: false,
  raw: false
} as const satisfies CollectionOptions

/**
 * Storage on MongoDB >= 4.4 through the official driver 6 or 7. Each verb is one command on one document, whose filter
 * holds the whole condition, so no transaction and no replica set is needed, and none of the host's is ever joined.
 * (`revokeUserSessions` and `removeExpired` touch several documents, each atomically.)
 *
 * Every verb answers or rejects within `timeout`. Set `serverSelectionTimeoutMS` (30 s by default) to less on the client all
 * the same: then a server that is gone is told apart from one that is slow. And `await client.connect()` at boot: a client
 * whose first connection is left to its first command, and fails, stays closed when the server comes back (driver 7.9).
 *
 * @param db the database for our collections; users may live in another
 * @throws RangeError for a `timeout` that is no number of milliseconds from 10 to 2147483647
 * @throws TypeError that names the option which does not exist
 */
export function mongodbStorage<User extends UserDocument = UserDocument> (
  db: Db,
  options: MongodbStorageOptions<User> = {}
): MongodbStorage {
  refuseUnknownNames(options, ['users', 'prefix', 'timeout'])
  const { prefix = 'otp_', timeout = 5000 } = options
  const bounded = boundedBy(timeout)
  const challenges = db.collection<ChallengeDocument>(`${prefix}challenges`, collectionOptions)
  const counters = db.collection<CounterDocument>(`${prefix}counters`, collectionOptions)
  const sessions = db.collection<SessionDocument>(`${prefix}sessions`, collectionOptions)
  const users = (options.users ?? db.collection(`${prefix}users`, collectionOptions)) as unknown as Parameters<typeof userVerbs>[0]

  const remove: Record<ExpiringKind, (before: Date, limit: number, limits: Limits) => Promise<number>> = {
    challenges: (before, limit, limits) => removeFrom(challenges, { expiresAt: { $lt: before } }, limit, limits),
    counters: (before, limit, limits) => removeFrom(counters, { expiresAt: { $lt: before } }, limit, limits),
    sessions: (before, limit, limits) => removeFrom(sessions, { idleExpiresAt: { $lt: before } }, limit, limits)
  }

  return {
    ...challengeVerbs(challenges, bounded),
    ...counterVerbs(counters, bounded),
    ...userVerbs(users, bounded),
    ...sessionVerbs(sessions, (id, limits) => findUserById(users, id, limits), bounded),

    removeExpired: ({ kind, before, limit }) => bounded((limits) => remove[kind](new Date(before), limit, limits)),

    async ensureIndexes () {
      await ensureUniqueEmail(users)
      await challenges.createIndexes([{ key: { emailHash: 1 } }, { key: { expiresAt: 1 }, expireAfterSeconds }])
      await counters.createIndexes([{ key: { expiresAt: 1 }, expireAfterSeconds }])
      // `idleExpiresAt` is never later than `expiresAt`.
      await sessions.createIndexes([{ key: { userId: 1 } }, { key: { idleExpiresAt: 1 }, expireAfterSeconds }])
    }
  }
}

/** A delete has no limit in MongoDB, so it asks for the ids first, and for the expiry once more when it deletes. */
async function removeFrom (collection: Collection<any>, isExpired: object, limit: number, limits: Limits): Promise<number> {
  const expired = await collection.find(isExpired, { projection: { _id: 1 }, limit, ...limits }).toArray()
  const ids = expired.map(({ _id }) => _id)
  return (await collection.deleteMany({ _id: { $in: ids }, ...isExpired }, limits)).deletedCount
}
