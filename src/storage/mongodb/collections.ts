import type { Collection, CollectionOptions, Db } from 'mongodb'
import type { ChallengeDocument, CounterDocument, SessionDocument, StoredUser, UserDocument } from './documents.ts'

export interface Collections {
  challenges: Collection<ChallengeDocument>
  counters: Collection<CounterDocument>
  sessions: Collection<SessionDocument>
  users: Collection<StoredUser>
}

/**
 * Settings for our own collections, so that the settings of the application's client cannot change how they work.
 * `majority`, because a failover must not undo an attempt, a logout or a used code.
 */
const ownSettings = {
  readPreference: 'primary',
  writeConcern: { w: 'majority' },
  promoteValues: true,
  promoteLongs: true,
  useBigInt64: false,
  raw: false
} as const satisfies CollectionOptions

/** A users collection of the application keeps its own settings. Each command on users therefore adds these. */
export const primaryRead = { readPreference: ownSettings.readPreference } as const
export const majorityWrite = { writeConcern: ownSettings.writeConcern } as const

/** Compares addresses byte by byte, even if the collection was created with a collation that ignores case or accents. */
export const exactMatch = { collation: { locale: 'simple' } }

export function openCollections<User extends UserDocument> (db: Db, prefix: string, users: Collection<User> | undefined): Collections {
  return {
    challenges: db.collection(`${prefix}challenges`, ownSettings),
    counters: db.collection(`${prefix}counters`, ownSettings),
    sessions: db.collection(`${prefix}sessions`, ownSettings),
    users: (users ?? db.collection(`${prefix}users`, ownSettings)) as unknown as Collection<StoredUser>
  }
}
