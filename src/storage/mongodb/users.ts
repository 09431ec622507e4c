import { ObjectId, type Collection } from 'mongodb'
import type { OtpAuthStorage, UserRecord } from '../contract.ts'
import type { UserDocument } from './documents.ts'
import { duplicateKey, errorCode, type Bounded, type Limits } from './shared.ts'

type UserVerbs = Pick<OtpAuthStorage, 'findUser' | 'verifyUser' | 'insertUser' | 'userId' | 'hasMixedCaseEmails'>

type StoredUser = UserDocument & { _id: ObjectId | string | number }

/** Byte by byte, also where the host's collection was created with a collation that folds case or accents. */
const exactly = { collation: { locale: 'simple' } }

/** The collection is the host's and has its settings: what ours depends on is said with every command. */
const fromPrimary = { readPreference: 'primary' } as const
const durably = { writeConcern: { w: 'majority' } } as const

const documentValidationFailure = 121

export function userVerbs (users: Collection<StoredUser>, bounded: Bounded): UserVerbs {
  return {
    async findUser (email) {
      const user = await bounded((limits) => users.findOne({ email: { $eq: email } }, { ...exactly, ...fromPrimary, ...limits }))
      return user === null ? null : toRecord(user)
    },

    async verifyUser (email) {
      const user = await bounded((limits) => users.findOneAndUpdate(
        { email: { $eq: email }, isVerified: { $ne: true } },
        { $set: { isVerified: true } },
        { returnDocument: 'after', includeResultMetadata: false, ...exactly, ...durably, ...limits }
      ))
      return user === null ? null : toRecord(user)
    },

    async insertUser ({ email, fields }) {
      const user = { ...fields, email, isVerified: false } as StoredUser
      try {
        // The driver makes the `_id` that the host did not give, by the client's own `pkFactory`.
        const { insertedId } = await bounded((limits) => users.insertOne(user, { forceServerObjectId: false, ...durably, ...limits }))
        return { user: toRecord({ ...user, _id: insertedId }) }
      } catch (error) {
        const code = errorCode(error)
        if (code === duplicateKey || code === documentValidationFailure) return { refused: error as Error }
        throw error
      }
    },

    userId: (user) => String((user as StoredUser)._id),

    async hasMixedCaseEmails (limit) {
      const found = await bounded((limits) => users.aggregate([
        { $limit: limit }, { $match: { email: { $regex: '[A-Z]' } } }, { $limit: 1 }
      ], { ...fromPrimary, ...limits }).toArray())
      return found.length === 1
    }
  }
}

/** Finds a user by the text of a token's `sub`. Two users whose ids read alike are nobody: neither may act as the other. */
export async function findUserById (users: Collection<StoredUser>, text: string, limits: Limits): Promise<UserRecord | null> {
  const [user, another] = await users.find({ _id: { $in: idsOf(text) } }, { limit: 2, ...fromPrimary, ...limits }).toArray()
  return user === undefined || another !== undefined ? null : toRecord(user)
}

/** Makes the unique index on the address, unless the host has one of its own, under whatever name. */
export async function ensureUniqueEmail (users: Collection<StoredUser>): Promise<void> {
  const indexes = await users.listIndexes().toArray().catch((error: unknown) => {
    if (errorCode(error) === namespaceNotFound) return []
    throw error
  })
  const isThere = indexes.some(({ key, unique, partialFilterExpression, collation }) =>
    Object.keys(key).join() === 'email' && unique === true && partialFilterExpression === undefined &&
    (collation === undefined || collation.locale === 'simple'))
  // With the collation of our queries, or they could not use it.
  if (!isThere) await users.createIndex({ email: 1 }, { unique: true, ...exactly })
}

const namespaceNotFound = 26

/** Every id that reads as this text. */
function idsOf (text: string): Array<StoredUser['_id']> {
  const ids: Array<StoredUser['_id']> = [text]
  if (/^[0-9a-f]{24}$/.test(text)) ids.push(new ObjectId(text))
  if (String(Number(text)) === text) ids.push(Number(text))
  return ids
}

function toRecord (user: StoredUser): UserRecord {
  const id = String(user._id)
  return { id, email: user.email, isVerified: user.isVerified === true, row: { ...user, id } }
}
