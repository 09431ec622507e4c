import type { Collection } from 'mongodb'
import { exactMatch, type Collections } from './collections.ts'
import type { StoredUser } from './documents.ts'
import { errorCode, NAMESPACE_NOT_FOUND } from './errors.ts'

/**
 * The server deletes documents one hour after they expire, so that a server clock that runs ahead deletes nothing that is still
 * valid. This only saves space: no verb relies on it.
 */
const expireAfterSeconds = 3600

export async function createIndexes ({ challenges, counters, sessions, users }: Collections): Promise<void> {
  await ensureUniqueEmail(users)
  await challenges.createIndexes([{ key: { emailHash: 1 } }, { key: { expiresAt: 1 }, expireAfterSeconds }])
  await counters.createIndexes([{ key: { expiresAt: 1 }, expireAfterSeconds }])
  // A session ends at `idleExpiresAt`, which is never later than `expiresAt`.
  await sessions.createIndexes([{ key: { userId: 1 } }, { key: { idleExpiresAt: 1 }, expireAfterSeconds }])
}

/** Creates the unique index on the address, unless the application has one, under any name. */
async function ensureUniqueEmail (users: Collection<StoredUser>): Promise<void> {
  const indexes = await users.listIndexes().toArray().catch((error: unknown) => {
    if (errorCode(error) === NAMESPACE_NOT_FOUND) return []
    throw error
  })
  const exists = indexes.some(({ key, unique, partialFilterExpression, collation }) =>
    Object.keys(key).join() === 'email' && unique === true && partialFilterExpression === undefined &&
    (collation === undefined || collation.locale === 'simple'))
  // Our queries can use the index only if it has the same collation.
  if (!exists) await users.createIndex({ email: 1 }, { unique: true, ...exactMatch })
}
