import type { Collection } from 'mongodb'
import type { OtpAuthStorage } from '../storage.ts'
import type { BudgetDocument } from './documents.ts'
import { insertIfAbsent, type Bounded } from './shared.ts'

type BudgetVerbs = Pick<OtpAuthStorage, 'takeBudget' | 'returnBudget' | 'countFailure' | 'clearFailuresInARow' | 'readBudget'>

export function budgetVerbs (budgets: Collection<BudgetDocument>, bounded: Bounded): BudgetVerbs {
  return {
    async takeBudget ({ key, now, cooldown, short, long }) {
      // The insert, and a window that starts anew, count one without a look at the limit.
      if (short.limit < 1 || long.limit < 1) return false
      const at = new Date(now)
      const shortStart = new Date(now - short.length)
      const longStart = new Date(now - long.length)
      const expiresAt = new Date(now + Math.max(cooldown, short.length, long.length))
      return await bounded(async (limits) => {
        const take = async () => (await budgets.updateOne({
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
        return await take() || await insertIfAbsent(() => budgets.insertOne({
          _id: key, lastAt: at, shortFrom: at, shortCount: 1, longFrom: at, longCount: 1, inARow: 0, expiresAt
        }, limits)) || await take()
      })
    },

    async returnBudget ({ key, takenAt, cooldown, counts }) {
      const at = new Date(takenAt)
      const lessOne = (count: string, from: string) => ({
        $cond: [{ $and: [{ $gt: [count, 0] }, { $lte: [from, at] }] }, { $subtract: [count, 1] }, count]
      })
      await bounded((limits) => budgets.updateOne({ _id: key }, [{
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
          const counts = await budgets.findOneAndUpdate({ _id: key }, [{
            $set: {
              lastAt: at,
              ...counted('long', new Date(now - window), at),
              inARow: { $cond: [{ $lte: ['$lastAt', new Date(now - lapse)] }, 1, { $add: ['$inARow', 1] }] },
              expiresAt: { $max: ['$expiresAt', expiresAt] }
            }
          }], { returnDocument: 'after', includeResultMetadata: false, ...limits })
          if (counts !== null) return { inWindow: counts.longCount, inARow: counts.inARow }

          const inserted = await insertIfAbsent(() => budgets.insertOne({
            _id: key, lastAt: at, shortFrom: new Date(0), shortCount: 0, longFrom: at, longCount: 1, inARow: 1, expiresAt
          }, limits))
          if (inserted) return { inWindow: 1, inARow: 1 }
        }
      })
    },

    async clearFailuresInARow (key) {
      await bounded((limits) => budgets.updateOne({ _id: key }, { $set: { inARow: 0 } }, limits))
    },

    async readBudget (key) {
      const found = await bounded((limits) => budgets.findOne({ _id: key }, limits))
      if (found === null) return null
      const { _id, ...budget } = found
      return {
        ...budget,
        key: _id,
        lastAt: budget.lastAt.getTime(),
        shortFrom: budget.shortFrom.getTime(),
        longFrom: budget.longFrom.getTime(),
        expiresAt: budget.expiresAt.getTime()
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
