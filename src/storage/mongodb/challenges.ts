import type { OtpAuthStorage } from '../contract.ts'
import type { Collections } from './collections.ts'
import type { WithDeadline } from './deadline.ts'
import { millisecondsOrNull } from './documents.ts'

type ChallengeVerbs = Pick<OtpAuthStorage,
  'insertChallenge' | 'renewChallenge' | 'withdrawCode' | 'tryCode' | 'consumeCode' | 'findChallenge' | 'hasLiveChallenge'>

export function challengeVerbs ({ challenges }: Collections, withDeadline: WithDeadline): ChallengeVerbs {
  return {
    async insertChallenge ({ id, emailHash, codeMac, codeLength, expiresAt, deviceKey }) {
      await withDeadline((deadline) => challenges.insertOne({
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
      }, deadline))
    },

    async renewChallenge ({ id, emailHash, codeMac, codeLength, expiresAt, deviceKey, now }) {
      const renewed = await withDeadline((deadline) => challenges.updateOne({ _id: id, emailHash, ...liveAt(now) }, [{
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
      }], deadline))
      return renewed.matchedCount === 1
    },

    async withdrawCode ({ id, mac, now }) {
      // If the newest code is withdrawn, the previous value replaces it. If there is no previous code, the default value is used.
      const previousOr = (previous: string, defaultValue: unknown, current: string) => ({
        $cond: [{ $eq: ['$codeMac', { $literal: mac }] }, { $ifNull: [previous, defaultValue] }, current]
      })
      await withDeadline((deadline) => challenges.updateOne({ _id: id, $or: [{ codeMac: mac }, { previousMac: mac }] }, [{
        $set: {
          codeMac: previousOr('$previousMac', '', '$codeMac'),
          codeLength: previousOr('$previousLength', '$codeLength', '$codeLength'),
          expiresAt: previousOr('$previousExpiresAt', new Date(now), '$expiresAt'),
          previousMac: null,
          previousLength: null,
          previousExpiresAt: null
        }
      }], deadline))
    },

    async tryCode ({ id, emailHash, macs, codeLength, maxAttempts, now }) {
      const tried = await withDeadline((deadline) => challenges.findOneAndUpdate({
        _id: id,
        emailHash,
        ...liveAt(now),
        attempts: { $lt: maxAttempts },
        ...withLiveCodeOfLength(codeLength, now)
      }, [{
        $set: {
          attempts: { $add: ['$attempts', 1] },
          // All expressions read the document as it was before the update, so one command compares the code and uses it up.
          consumedAt: { $cond: [codeMatches(macs, now), new Date(now), null] }
        }
      }], { returnDocument: 'after', includeResultMetadata: false, ...deadline }))
      return tried === null ? null : { accepted: tried.consumedAt !== null, attempts: tried.attempts, deviceKey: tried.deviceKey }
    },

    async consumeCode ({ emailHash, macs, maxAttempts, now }) {
      const consumed = await withDeadline((deadline) => challenges.findOneAndUpdate({
        emailHash,
        ...liveAt(now),
        attempts: { $lt: maxAttempts },
        $or: [
          { codeMac: { $in: macs } },
          { previousMac: { $in: macs }, previousExpiresAt: { $gt: new Date(now) } }
        ]
      }, { $set: { consumedAt: new Date(now) } }, { returnDocument: 'after', includeResultMetadata: false, ...deadline }))
      return consumed === null ? null : { deviceKey: consumed.deviceKey }
    },

    async findChallenge (id) {
      const found = await withDeadline((deadline) => challenges.findOne({ _id: id }, deadline))
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
      return await withDeadline((deadline) => challenges.findOne(
        { emailHash, ...liveAt(now), attempts: { $lt: maxAttempts }, ...withLiveCodeOfLength(codeLength, now) },
        { projection: { _id: 1 }, ...deadline }
      )) !== null
    }
  }
}

function liveAt (now: number) {
  return { consumedAt: null, expiresAt: { $gt: new Date(now) } }
}

function withLiveCodeOfLength (codeLength: number, now: number) {
  return { $or: [{ codeLength }, { previousLength: codeLength, previousExpiresAt: { $gt: new Date(now) } }] }
}

/**
 * Whether a MAC is that of the newest code, or of the previous code before its expiry. `$literal` keeps the server from reading a
 * value as the name of a field.
 */
function codeMatches (macs: readonly string[], now: number) {
  return {
    $or: [
      { $in: ['$codeMac', { $literal: macs }] },
      { $and: [{ $in: ['$previousMac', { $literal: macs }] }, { $gt: ['$previousExpiresAt', new Date(now)] }] }
    ]
  }
}
