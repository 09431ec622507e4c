import type { ObjectId } from 'mongodb'

/** A challenge as it is stored; `_id` is the request id. */
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

/** A budget as it is stored; `_id` is its key. */
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
  /** The user's id as text, whatever type it has in the users collection. */
  userId: string
  seq: number
  rotatedAt: Date | null
  createdAt: Date
  idleExpiresAt: Date
  expiresAt: Date
  revokedAt: Date | null
}

/** What a document of the users collection must have; the host adds what it likes. */
export interface UserDocument {
  /** Of one type throughout the collection: ids of two types that read alike as text are refused at login. */
  _id?: ObjectId | string | number
  /** The normalised address, **unique** ({@link MongodbStorage.ensureIndexes} sees to it). */
  email: string
  /** Missing means unverified. */
  isVerified?: boolean
}
