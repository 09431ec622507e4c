import type { ObjectId } from 'mongodb'

/** A challenge as it is stored. `_id` is the request ID. */
export interface ChallengeDocument {
  _id: string
  emailHash: string
  codeMac: string
  codeLength: number
  expiresAt: Date
  previousMac: string | null
  previousLength: number | null
  previousExpiresAt: Date | null
  attempts: number
  consumedAt: Date | null
  deviceKey: string | null
}

/** A counter as it is stored. `_id` is its key. */
export interface CounterDocument {
  _id: string
  lastAt: Date
  shortFrom: Date
  shortCount: number
  longFrom: Date
  longCount: number
  consecutiveFailures: number
  expiresAt: Date
}

/** A session as it is stored. */
export interface SessionDocument {
  _id: string
  /** The user's ID as text, whatever its type in the users collection. */
  userId: string
  seq: number
  rotatedAt: Date | null
  createdAt: Date
  idleExpiresAt: Date
  expiresAt: Date
  revokedAt: Date | null
}

/** The fields that a document of the users collection needs. Your application may add others. */
export interface UserDocument {
  /** Use one type in the whole collection. If two users have IDs that are equal as text (`42` and `'42'`), sessions of both are refused. */
  _id?: ObjectId | string | number
  /** The normalized address. It must be **unique**: {@link MongodbStorage.ensureIndexes} creates the index. */
  email: string
  /** A missing value means unverified. */
  isVerified?: boolean
}

/** A user as it is read from the database. */
export type StoredUser = UserDocument & { _id: ObjectId | string | number }

export function dateOrNull (milliseconds: number | null): Date | null {
  return milliseconds === null ? null : new Date(milliseconds)
}

export function millisecondsOrNull (date: Date | null): number | null {
  return date === null ? null : date.getTime()
}
