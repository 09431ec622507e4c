import { sql, type SQL } from 'drizzle-orm'
import type { AnyPgColumn } from 'drizzle-orm/pg-core'
import type { Tables } from './dialect.ts'

const value = sql.placeholder
const now = sql`${value('now')}`

/** Columns whose new values are given under their own names. */
function given<Name extends string> (...columns: Name[]): Record<Name, SQL> {
  return Object.fromEntries(columns.map((column) => [column, sql`${value(column)}`])) as Record<Name, SQL>
}

/**
 * The values that statements write into columns. Each expression is made from the row as it was before the statement. On MySQL,
 * the order of the columns in `mysql/schema.ts` ensures this.
 */
export function createAssignments ({ challenges, budgets, sessions }: Tables) {
  /** Counts up in a window that is running, or starts a new one. */
  const counted = (count: AnyPgColumn, from: AnyPgColumn, start: string) => ({
    count: sql`case when ${from} <= ${value(start)} then 1 else ${count} + 1 end`,
    from: sql`case when ${from} <= ${value(start)} then ${now} else ${from} end`
  })
  const short = counted(budgets.shortCount, budgets.shortFrom, 'shortStart')
  const long = counted(budgets.longCount, budgets.longFrom, 'longStart')
  const failures = counted(budgets.longCount, budgets.longFrom, 'windowStart')
  const laterExpiry = sql`case when ${budgets.expiresAt} > ${value('expiresAt')} then ${budgets.expiresAt} else ${value('expiresAt')} end`

  /** Takes one from a count, unless its window started after the increment. */
  const lessOne = (count: AnyPgColumn, from: AnyPgColumn) => sql`case
    when ${value('counts')} = 1 and ${count} > 0 and ${from} <= ${value('takenAt')} then ${count} - 1 else ${count} end`

  /** The row of a key's first event. */
  const firstIncrement = {
    ...given('key', 'expiresAt'), lastAt: now, shortFrom: now, shortCount: 1, longFrom: now, longCount: 1
  }

  return {
    newChallenge: given('id', 'subject', 'codeMac', 'codeLength', 'expiresAt', 'deviceKey'),

    /** Puts in a new code and keeps the one before. */
    renewal: {
      previousMac: sql`${challenges.codeMac}`,
      previousLength: sql`${challenges.codeLength}`,
      previousExpiresAt: sql`${challenges.expiresAt}`,
      attempts: 0,
      ...given('codeMac', 'codeLength', 'expiresAt', 'deviceKey')
    },

    firstIncrement,
    increment: {
      lastAt: now,
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
    firstFailure: { ...firstIncrement, shortFrom: 0, shortCount: 0, inARow: 1 },
    failure: {
      lastAt: now,
      longCount: failures.count,
      longFrom: failures.from,
      inARow: sql`case when ${budgets.lastAt} <= ${value('lapsedAt')} then 1 else ${budgets.inARow} + 1 end`,
      expiresAt: laterExpiry
    },

    newSession: given('id', 'userId', 'seq', 'rotatedAt', 'createdAt', 'idleExpiresAt', 'expiresAt', 'revokedAt'),
    rotation: { ...given('idleExpiresAt'), seq: sql`${sessions.seq} + 1`, rotatedAt: now },
    revocation: { revokedAt: now }
  }
}
