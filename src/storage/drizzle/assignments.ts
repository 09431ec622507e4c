import { sql } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { Tables } from './dialect.ts'

/**
 * The values that statements write into columns. Each expression is made from the row as it was before the statement; the
 * order of the columns in `mysql/schema.ts` makes this true on MySQL, too.
 */
export function createAssignments ({ challenges, budgets }: Tables) {
  const value = sql.placeholder
  const given = (name: string) => sql`${value(name)}`

  /** Counts up in a window that is running, or starts a new one. */
  const counted = (count: AnyPgColumn, from: AnyPgColumn, start: string) => ({
    count: sql`case when ${from} <= ${value(start)} then 1 else ${count} + 1 end`,
    from: sql`case when ${from} <= ${value(start)} then ${value('now')} else ${from} end`
  })
  const short = counted(budgets.shortCount, budgets.shortFrom, 'shortStart')
  const long = counted(budgets.longCount, budgets.longFrom, 'longStart')
  const failures = counted(budgets.longCount, budgets.longFrom, 'windowStart')
  const laterExpiry = sql`case when ${budgets.expiresAt} > ${value('expiresAt')} then ${budgets.expiresAt} else ${value('expiresAt')} end`

  /** Takes one from a count, unless its window started after the increment. */
  const lessOne = (count: AnyPgColumn, from: AnyPgColumn) => sql`case
    when ${value('counts')} = 1 and ${count} > 0 and ${from} <= ${value('takenAt')} then ${count} - 1 else ${count} end`

  return {
    newChallenge: {
      id: value('id'),
      subject: value('subject'),
      codeMac: value('codeMac'),
      codeLength: value('codeLength'),
      expiresAt: value('expiresAt'),
      deviceKey: value('deviceKey')
    },

    /** Puts in a new code and keeps the one before. */
    renewal: {
      previousMac: sql`${challenges.codeMac}`,
      previousLength: sql`${challenges.codeLength}`,
      previousExpiresAt: sql`${challenges.expiresAt}`,
      codeMac: given('codeMac'),
      codeLength: given('codeLength'),
      expiresAt: given('expiresAt'),
      deviceKey: given('deviceKey'),
      attempts: 0
    },

    /** The row of a key's first event. */
    firstIncrement: {
      key: value('key'),
      lastAt: value('now'),
      shortFrom: value('now'),
      shortCount: 1,
      longFrom: value('now'),
      longCount: 1,
      expiresAt: value('expiresAt')
    },

    increment: {
      lastAt: given('now'),
      shortCount: short.count,
      shortFrom: short.from,
      longCount: long.count,
      longFrom: long.from,
      expiresAt: laterExpiry
    },

    decrement: {
      lastAt: sql`case when ${value('cooldown')} = 1 and ${budgets.lastAt} = ${value('takenAt')} then 0 else ${budgets.lastAt} end`,
      shortCount: lessOne(budgets.shortCount, budgets.shortFrom),
      longCount: lessOne(budgets.longCount, budgets.longFrom)
    },

    /** The row of a key's first failure. */
    firstFailure: {
      key: value('key'),
      lastAt: value('now'),
      shortFrom: 0,
      shortCount: 0,
      longFrom: value('now'),
      longCount: 1,
      inARow: 1,
      expiresAt: value('expiresAt')
    },

    failure: {
      lastAt: given('now'),
      longCount: failures.count,
      longFrom: failures.from,
      inARow: sql`case when ${budgets.lastAt} <= ${value('lapsedAt')} then 1 else ${budgets.inARow} + 1 end`,
      expiresAt: laterExpiry
    }
  }
}
