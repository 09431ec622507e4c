import type { Collection } from 'mongodb'
import type { OtpAuthStorage } from '../contract.ts'
import type { ChallengeDocument } from './documents.ts'
import { millisecondsOrNull, type Bounded } from './shared.ts'

type ChallengeVerbs = Pick<OtpAuthStorage,
  'insertChallenge' | 'renewChallenge' | 'withdrawCode' | 'tryCode' | 'consumeCode' | 'findChallenge' | 'hasLiveChallenge'>

export function challengeVerbs (challenges: Collection<ChallengeDocument>, bounded: Bounded): ChallengeVerbs {
  return {
    async insertChallenge ({ id, emailHash, codeMac, codeLength, expiresAt, deviceKey }) {
      await bounded((limits) => challenges.insertOne({
        _id: id,
        emailHash,
        codeMac,
        codeLength,
        expiresAt: new Date(expiresAt),
        previousMac: null,
        previousLength: null,
        previousExpiresAt: null,
        attempts: 0,
        consumedAt: null,
        deviceKey
      }, limits))
    },

    async renewChallenge ({ id, emailHash, codeMac, codeLength, expiresAt, deviceKey, now }) {
      const renewed = await bounded((limits) => challenges.updateOne({ _id: id, emailHash, ...isLive(now) }, [{
        $set: {
          previousMac: '$codeMac',
          previousLength: '$codeLength',
          previousExpiresAt: '$expiresAt',
          codeMac: { $literal: codeMac },
          codeLength,
          expiresAt: new Date(expiresAt),
          deviceKey: { $literal: deviceKey },
          attempts: 0
        }
      }], limits))
      return renewed.matchedCount === 1
    },

    async withdrawCode ({ id, mac, now }) {
      const previousOr = (previous: string, otherwise: unknown, kept: string) => ({
        $cond: [{ $eq: ['$codeMac', { $literal: mac }] }, { $ifNull: [previous, otherwise] }, kept]
      })
      await bounded((limits) => challenges.updateOne({ _id: id, $or: [{ codeMac: mac }, { previousMac: mac }] }, [{
        $set: {
          codeMac: previousOr('$previousMac', '', '$codeMac'),
          codeLength: previousOr('$previousLength', '$codeLength', '$codeLength'),
          expiresAt: previousOr('$previousExpiresAt', new Date(now), '$expiresAt'),
          previousMac: null,
          previousLength: null,
          previousExpiresAt: null
        }
      }], limits))
    },

    async tryCode ({ id, emailHash, macs, codeLength, maxAttempts, now }) {
      const tried = await bounded((limits) => challenges.findOneAndUpdate({
        _id: id,
        emailHash,
        ...isLive(now),
        attempts: { $lt: maxAttempts },
        $or: hasCodeOfLength(codeLength, now)
      }, [{
        $set: {
          attempts: { $add: ['$attempts', 1] },
          // Everything on the right is read from the document as it was, so the code is compared and used up in one.
          consumedAt: { $cond: [codeFits(macs, now), new Date(now), null] }
        }
      }], { returnDocument: 'after', includeResultMetadata: false, ...limits }))
      return tried === null ? null : { accepted: tried.consumedAt !== null, attempts: tried.attempts, deviceKey: tried.deviceKey }
    },

    async consumeCode ({ emailHash, macs, maxAttempts, now }) {
      const consumed = await bounded((limits) => challenges.findOneAndUpdate({
        emailHash,
        ...isLive(now),
        attempts: { $lt: maxAttempts },
        $or: [
          { codeMac: { $in: macs } },
          { previousMac: { $in: macs }, previousExpiresAt: { $gt: new Date(now) } }
        ]
      }, { $set: { consumedAt: new Date(now) } }, { returnDocument: 'after', includeResultMetadata: false, ...limits }))
      return consumed === null ? null : { deviceKey: consumed.deviceKey }
    },

    async findChallenge (id) {
      const found = await bounded((limits) => challenges.findOne({ _id: id }, limits))
      if (found === null) return null
      const { _id, ...challenge } = found
      return {
        ...challenge,
        id: _id,
        expiresAt: challenge.expiresAt.getTime(),
        previousExpiresAt: millisecondsOrNull(challenge.previousExpiresAt),
        consumedAt: millisecondsOrNull(challenge.consumedAt)
      }
    },

    async hasLiveChallenge ({ emailHash, codeLength, maxAttempts, now }) {
      return await bounded((limits) => challenges.findOne(
        { emailHash, ...isLive(now), attempts: { $lt: maxAttempts }, $or: hasCodeOfLength(codeLength, now) },
        { projection: { _id: 1 }, ...limits }
      )) !== null
    }
  }
}

function isLive (now: number) {
  return { consumedAt: null, expiresAt: { $gt: new Date(now) } }
}

function hasCodeOfLength (codeLength: number, now: number) {
  return [{ codeLength }, { previousLength: codeLength, previousExpiresAt: { $gt: new Date(now) } }]
}

/** The newest code, or the one before while it lives. `$literal`: no value of ours is ever read as a field's name. */
function codeFits (macs: readonly string[], now: number) {
  return {
    $or: [
      { $in: ['$codeMac', { $literal: macs }] },
      { $and: [{ $in: ['$previousMac', { $literal: macs }] }, { $gt: ['$previousExpiresAt', new Date(now)] }] }
    ]
  }
}
