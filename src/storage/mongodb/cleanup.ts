import type { Collection } from 'mongodb'
import type { ExpiringKind, OtpAuthStorage } from '../contract.ts'
import type { Collections } from './collections.ts'
import type { Deadline, WithDeadline } from './deadline.ts'

export function cleanupVerbs ({ challenges, counters, sessions }: Collections, withDeadline: WithDeadline): Pick<OtpAuthStorage, 'removeExpired'> {
  const removeFrom: Record<ExpiringKind, (before: Date, limit: number, deadline: Deadline) => Promise<number>> = {
    challenges: (before, limit, deadline) => removeMatching(challenges, { expiresAt: { $lt: before } }, limit, deadline),
    counters: (before, limit, deadline) => removeMatching(counters, { expiresAt: { $lt: before } }, limit, deadline),
    sessions: (before, limit, deadline) => removeMatching(sessions, { idleExpiresAt: { $lt: before } }, limit, deadline)
  }
  return {
    removeExpired: ({ kind, before, limit }) => withDeadline((deadline) => removeFrom[kind](new Date(before), limit, deadline))
  }
}

/**
 * A delete command has no limit in MongoDB, so this reads the IDs first. The delete checks the expiry again, because a document
 * may have been renewed meanwhile.
 */
async function removeMatching (collection: Collection<any>, expired: object, limit: number, deadline: Deadline): Promise<number> {
  const documents = await collection.find(expired, { projection: { _id: 1 }, limit, ...deadline }).toArray()
  const ids = documents.map(({ _id }) => _id)
  return (await collection.deleteMany({ _id: { $in: ids }, ...expired }, deadline)).deletedCount
}
