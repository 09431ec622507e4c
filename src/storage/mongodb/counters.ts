import type { Collection } from 'mongodb'
import type { OtpAuthStorage } from '../contract.ts'
import type { CounterDocument } from './documents.ts'
import { insertIfAbsent, type Bounded } from './shared.ts'

type BudgetVerbs = Pick<OtpAuthStorage, 'incrementCounter' | 'decrementCounter' | 'countFailure' | 'resetConsecutiveFailures' | 'readCounter'>

export function counterVerbs (counters: Collection<CounterDocument>, bounded: Bounded): BudgetVerbs {
  return {
    async incrementCounter ({ key, now, cooldown, short, long }) {
      // The insert, and a window that starts anew, count one without a look at the limit.
      if (short.limit < 1 || long.limit < 1) return false
      const at = new Date(now)
      const shortStart = new Date(now - short.length)
      const longStart = new Date(now - long.length)
      const expiresAt = new Date(now + Math.max(cooldown, short.length, long.length))
      return await bounded(async (limits) => {
        const take = async () => (await counters.updateOne({
          _id: key,
          // Without a cool-down a clock that stepped back must not refuse.
          ...(cooldown === 0 ? {} : { lastAt: { $lte: new Date(now - cooldown) } }),
          $and: [
            { $or: [{ shortCount: { $lt: short.limit } }, { shortFrom: { $lte: shortStart } }] },
            { $or: [{ longCount: { $lt: long.limit } }, { longFrom: { $lte: longStart } }] }
          ]
        }, [{
          $set: {
            lastAt: at,
            ...counted('short', shortStart, at),
            ...counted('long', longStart, at),
            expiresAt: { $max: ['$expiresAt', expiresAt] }
          }
        }], limits)).matchedCount === 1

        // No upsert: with a filter that refuses, it would insert a second document of the key and fail.
        return await take() || await insertIfAbsent(() => counters.insertOne({
          _id: key, lastAt: at, shortFrom: at, shortCount: 1, longFrom: at, longCount: 1, consecutiveFailures: 0, expiresAt
        }, limits)) || await take()
      })
    },

    async decrementCounter ({ key, takenAt, cooldown, counts }) {
      const at = new Date(takenAt)
      const lessOne = (count: string, from: string) => ({
        $cond: [{ $and: [{ $gt: [count, 0] }, { $lte: [from, at] }] }, { $subtract: [count, 1] }, count]
      })
      await bounded((limits) => counters.updateOne({ _id: key }, [{
        $set: {
          lastAt: { $cond: [{ $and: [cooldown, { $eq: ['$lastAt', at] }] }, new Date(0), '$lastAt'] },
          ...(counts ? { shortCount: lessOne('$shortCount', '$shortFrom'), longCount: lessOne('$longCount', '$longFrom') } : {})
        }
      }], limits))
    },

    async countFailure ({ key, now, window, lapse }) {
      const at = new Date(now)
      const expiresAt = new Date(now + Math.max(window, lapse))
      return await bounded(async (limits) => {
        // Comes round again where another call inserted first, or where cleanup removed the document in between.
        for (;;) {
          const counts = await counters.findOneAndUpdate({ _id: key }, [{
            $set: {
              lastAt: at,
              ...counted('long', new Date(now - window), at),
              consecutiveFailures: { $cond: [{ $lte: ['$lastAt', new Date(now - lapse)] }, 1, { $add: ['$consecutiveFailures', 1] }] },
              expiresAt: { $max: ['$expiresAt', expiresAt] }
            }
          }], { returnDocument: 'after', includeResultMetadata: false, ...limits })
          if (counts !== null) return { inWindow: counts.longCount, consecutive: counts.consecutiveFailures }

          const inserted = await insertIfAbsent(() => counters.insertOne({
            _id: key, lastAt: at, shortFrom: new Date(0), shortCount: 0, longFrom: at, longCount: 1, consecutiveFailures: 1, expiresAt
          }, limits))
          if (inserted) return { inWindow: 1, consecutive: 1 }
        }
      })
    },

    async resetConsecutiveFailures (key) {
      await bounded((limits) => counters.updateOne({ _id: key }, { $set: { consecutiveFailures: 0 } }, limits))
    },

    async readCounter (key) {
      const found = await bounded((limits) => counters.findOne({ _id: key }, limits))
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

/** Counts on in a window that runs, or starts a new one. Each expression sees the document as it was. */
function counted (window: 'short' | 'long', start: Date, now: Date) {
  const count = `$${window}Count`
  const from = `$${window}From`
  const isOver = { $lte: [from, start] }
  return {
    [`${window}Count`]: { $cond: [isOver, 1, { $add: [count, 1] }] },
    [`${window}From`]: { $cond: [isOver, now, from] }
  }
}
