import { ObjectId, type Collection } from 'mongodb'
import type { OtpAuthStorage, UserRecord } from '../contract.ts'
import { exactMatch, majorityWrite, primaryRead, type Collections } from './collections.ts'
import type { Deadline, WithDeadline } from './deadline.ts'
import type { StoredUser } from './documents.ts'
import { DOCUMENT_VALIDATION_FAILURE, DUPLICATE_KEY, errorCode } from './errors.ts'

type UserVerbs = Pick<OtpAuthStorage, 'findUser' | 'verifyUser' | 'insertUser' | 'userId' | 'hasMixedCaseEmails'>

export function userVerbs ({ users }: Collections, withDeadline: WithDeadline): UserVerbs {
  return {
    async findUser (email) {
      const user = await withDeadline((deadline) => users.findOne(
        { email: { $eq: email } }, { ...exactMatch, ...primaryRead, ...deadline }
      ))
      return user === null ? null : toRecord(user)
    },

    async verifyUser (email) {
      const user = await withDeadline((deadline) => users.findOneAndUpdate(
        { email: { $eq: email }, isVerified: { $ne: true } },
        { $set: { isVerified: true } },
        { returnDocument: 'after', includeResultMetadata: false, ...exactMatch, ...majorityWrite, ...deadline }
      ))
      return user === null ? null : toRecord(user)
    },

    async insertUser ({ email, fields }) {
      const user = { ...fields, email, isVerified: false } as StoredUser
      try {
        // If the application gives no `_id`, the driver creates one with the client's `pkFactory`.
        const { insertedId } = await withDeadline((deadline) => users.insertOne(
          user, { forceServerObjectId: false, ...majorityWrite, ...deadline }
        ))
        return { user: toRecord({ ...user, _id: insertedId }) }
      } catch (error) {
        const code = errorCode(error)
        if (code === DUPLICATE_KEY || code === DOCUMENT_VALIDATION_FAILURE) return { refused: error as Error }
        throw error
      }
    },

    userId: (user) => String((user as StoredUser)._id),

    async hasMixedCaseEmails (limit) {
      const found = await withDeadline((deadline) => users.aggregate([
        { $limit: limit }, { $match: { email: { $regex: '[A-Z]' } } }, { $limit: 1 }
      ], { ...primaryRead, ...deadline }).toArray())
      return found.length === 1
    }
  }
}

/**
 * Finds a user by the ID in an access token, which is text. If the IDs of two users are equal as text, it finds neither, so that
 * neither can act as the other.
 */
export async function findUserById (users: Collection<StoredUser>, text: string, deadline: Deadline): Promise<UserRecord | null> {
  const [user, another] = await users.find({ _id: { $in: idsFrom(text) } }, { limit: 2, ...primaryRead, ...deadline }).toArray()
  return user === undefined || another !== undefined ? null : toRecord(user)
}

/** All IDs that are equal to this text. */
function idsFrom (text: string): Array<StoredUser['_id']> {
  const ids: Array<StoredUser['_id']> = [text]
  if (/^[0-9a-f]{24}$/.test(text)) ids.push(new ObjectId(text))
  if (String(Number(text)) === text) ids.push(Number(text))
  return ids
}

function toRecord (user: StoredUser): UserRecord {
  const id = String(user._id)
  return { id, email: user.email, isVerified: user.isVerified === true, row: { ...user, id } }
}
