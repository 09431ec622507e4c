import type { Collection, Db } from 'mongodb'
import { refuseUnknownNames } from '../adapter-options.ts'
import type { OtpAuthStorage } from '../contract.ts'
import { challengeVerbs } from './challenges.ts'
import { cleanupVerbs } from './cleanup.ts'
import { openCollections } from './collections.ts'
import { counterVerbs } from './counters.ts'
import { deadlineRunner } from './deadline.ts'
import type { UserDocument } from './documents.ts'
import { createIndexes } from './indexes.ts'
import { sessionVerbs } from './sessions.ts'
import { userVerbs } from './users.ts'

export type { CounterDocument, ChallengeDocument, SessionDocument, UserDocument } from './documents.ts'

export interface MongodbStorageOptions<User extends UserDocument = UserDocument> {
  /**
   * Your own users collection. Its documents need `email`, `isVerified` and an `_id` that is an ObjectId, a string or a number,
   * and may have any other fields. A new user gets the `_id` from `newUserFields`, or one from the client's `pkFactory`.
   * @default the collection `<prefix>users`
   */
  users?: Collection<User>
  /** Prefix of the collection names: `challenges`, `counters`, `sessions` and `users`. @default 'otp_' */
  prefix?: string
  /**
   * Milliseconds after which a call to the storage rejects. The time includes the wait for a server and for a free connection.
   * At least 10.
   * @default 5000
   */
  timeout?: number
}

export interface MongodbStorage extends OtpAuthStorage {
  /**
   * Creates the indexes: a unique index on the address, one for each lookup, and TTL indexes that delete documents one hour
   * after they expire. Call it at every start. Any number of processes may call it at the same time. A unique index of your own
   * on `email` counts as well. **Without a unique index, two first logins at the same time create two users.**
   */
  ensureIndexes (): Promise<void>
}

/**
 * Storage on MongoDB >= 4.4 with the official driver, version 6 or 7. Each verb takes effect in one command on one document.
 * The filter of the command has the whole condition, so the adapter needs no transaction and no replica set, and it never joins a
 * transaction of your application. (`revokeUserSessions` and `removeExpired` change several documents, each one atomically.)
 *
 * Every call resolves or rejects within `timeout`. Nevertheless set `serverSelectionTimeoutMS` of your client (30 seconds by
 * default) to less: then a missing server and a slow one have different errors. Also call `await client.connect()` at startup.
 * If a client connects with its first command and that fails, it stays closed even when the server is back (driver 7.9).
 *
 * @param db the database for the plugin's collections; your users collection may be in another one
 * @throws RangeError if `timeout` is not a number of milliseconds from 10 to 2147483647
 * @throws TypeError if the options are not an object, or one of them is unknown
 */
export function mongodbStorage<User extends UserDocument = UserDocument> (
  db: Db,
  options: MongodbStorageOptions<User> = {}
): MongodbStorage {
  refuseUnknownNames(options, ['users', 'prefix', 'timeout'])
  const { prefix = 'otp_', timeout = 5000 } = options
  const withDeadline = deadlineRunner(timeout)
  const collections = openCollections(db, prefix, options.users)
  return {
    ...challengeVerbs(collections, withDeadline),
    ...counterVerbs(collections, withDeadline),
    ...userVerbs(collections, withDeadline),
    ...sessionVerbs(collections, withDeadline),
    ...cleanupVerbs(collections, withDeadline),
    ensureIndexes: () => createIndexes(collections)
  }
}
