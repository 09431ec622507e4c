import type { OtpAuthStorage } from '../contract.ts'
import type { Collections } from './collections.ts'
import type { WithDeadline } from './deadline.ts'
import { insertIfAbsent } from './errors.ts'

type CounterVerbs = Pick<OtpAuthStorage,
  'incrementCounter' | 'decrementCounter' | 'countFailure' | 'resetConsecutiveFailures' | 'readCounter'>

export function counterVerbs ({ counters }: Collections, withDeadline: WithDeadline): CounterVerbs {
  return {
    async incrementCounter ({ key, now, cooldown, short, long }) {
      // An insert and a window that starts again count one event without checking the limit.
      if (short.limit < 1 || long.limit < 1) return false
      const at = new Date(now)
      const shortStart = new Date(now - short.length)
      const longStart = new Date(now - long.length)
      const expiresAt = new Date(now + Math.max(cooldown, short.length, long.length))
      return await withDeadline(async (deadline) => {
        const update = async () => (await counters.updateOne({
          _id: key,
          // Without a cooldown, an event is counted even if the clock moved back.
          ...(cooldown === 0 ? {} : { lastAt: { $lte: new Date(now - cooldown) } }),
          $and: [
            { $or: [{ shortCount: { $lt: short.limit } }, { shortFrom: { $lte: shortStart } }] },
            { $or: [{ longCount: { $lt: long.limit } }, { longFrom: { $lte: longStart } }] }
          ]
        }, [{
          $set: {
            lastAt: at,
            ...countInWindow('short', shortStart, at),
            ...countInWindow('long', longStart, at),
            expiresAt: { $max: ['$expiresAt', expiresAt] }
          }
        }], deadline)).matchedCount === 1

        // Not an upsert: if the filter refuses, it would try to insert a second document with this key and fail.
        return await update() || await insertIfAbsent(() => counters.insertOne({
          _id: key, lastAt: at, shortFrom: at, shortCount: 1, longFrom: at, longCount: 1, consecutiveFailures: 0, expiresAt
        }, deadline)) || await update()
      })
    },

    async decrementCounter ({ key, takenAt, cooldown, counts }) {
      const at = new Date(takenAt)
      const minusOne = (count: string, from: string) => ({
        $cond: [{ $and: [{ $gt: [count, 0] }, { $lte: [from, at] }] }, { $subtract: [count, 1] }, count]
      })
      await withDeadline((deadline) => counters.updateOne({ _id: key }, [{
        $set: {
          lastAt: { $cond: [{ $and: [cooldown, { $eq: ['$lastAt', at] }] }, new Date(0), '$lastAt'] },
          ...(counts ? { shortCount: minusOne('$shortCount', '$shortFrom'), longCount: minusOne('$longCount', '$longFrom') } : {})
        }
      }], deadline))
    },

    async countFailure ({ key, now, window, lapse }) {
      const at = new Date(now)
      const expiresAt = new Date(now + Math.max(window, lapse))
      return await withDeadline(async (deadline) => {
        // Try again if another call inserted the document first, or if cleanup removed it between the two commands.
        for (;;) {
          const counts = await counters.findOneAndUpdate({ _id: key }, [{
            $set: {
              lastAt: at,
              ...countInWindow('long', new Date(now - window), at),
              consecutiveFailures: { $cond: [{ $lte: ['$lastAt', new Date(now - lapse)] }, 1, { $add: ['$consecutiveFailures', 1] }] },
              expiresAt: { $max: ['$expiresAt', expiresAt] }
            }
          }], { returnDocument: 'after', includeResultMetadata: false, ...deadline })
          if (counts !== null) return { inWindow: counts.longCount, consecutive: counts.consecutiveFailures }

          const inserted = await insertIfAbsent(() => counters.insertOne({
            _id: key, lastAt: at, shortFrom: new Date(0), shortCount: 0, longFrom: at, longCount: 1, consecutiveFailures: 1, expiresAt
          }, deadline))
          if (inserted) return { inWindow: 1, consecutive: 1 }
        }
      })
    },

    async resetConsecutiveFailures (key) {
      await withDeadline((deadline) => counters.updateOne({ _id: key }, { $set: { consecutiveFailures: 0 } }, deadline))
    },

    async readCounter (key) {
      const found = await withDeadline((deadline) => counters.findOne({ _id: key }, deadline))
      if (found === null) return null
      const { _id, ...counter } = found
      return {
        ...counter,
        key: _id,
        lastAt: counter.lastAt.getTime(),
        shortFrom: counter.shortFrom.getTime(),
        longFrom: counter.longFrom.getTime(),
        expiresAt: counter.expiresAt.getTime()
      }
    }
  }
}

/** Adds one to the current window, or starts a new one. All expressions read the document as it was before the update. */
function countInWindow (window: 'short' | 'long', startedAfter: Date, now: Date) {
  const count = `$${window}Count`
  const from = `$${window}From`
  const hasEnded = { $lte: [from, startedAfter] }
  return {
    [`${window}Count`]: { $cond: [hasEnded, 1, { $add: [count, 1] }] },
    [`${window}From`]: { $cond: [hasEnded, now, from] }
  }
}
