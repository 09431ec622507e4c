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
export function createAssignments ({ challenges, counters, sessions }: Tables) {
  /** Counts up in a window that is running, or starts a new one. */
  const counted = (count: AnyPgColumn, from: AnyPgColumn, start: string) => ({
    count: sql`case when ${from} <= ${value(start)} then 1 else ${count} + 1 end`,
    from: sql`case when ${from} <= ${value(start)} then ${now} else ${from} end`
  })
  const short = counted(counters.shortCount, counters.shortFrom, 'shortStart')
  const long = counted(counters.longCount, counters.longFrom, 'longStart')
  const failures = counted(counters.longCount, counters.longFrom, 'windowStart')
  const laterExpiry = sql`case when ${counters.expiresAt} > ${value('expiresAt')} then ${counters.expiresAt} else ${value('expiresAt')} end`

  /** Takes one from a count, unless its window started after the increment. */
  const lessOne = (count: AnyPgColumn, from: AnyPgColumn) => sql`case
    when ${value('counts')} = 1 and ${count} > 0 and ${from} <= ${value('takenAt')} then ${count} - 1 else ${count} end`

  /** The row of a key's first event. */
  const firstIncrement = {
    ...given('key', 'expiresAt'), lastAt: now, shortFrom: now, shortCount: 1, longFrom: now, longCount: 1
  }

  return {
    newChallenge: given('id', 'emailHash', 'codeMac', 'codeLength', 'expiresAt', 'deviceKey'),

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
      lastAt: sql`case when ${value('cooldown')} = 1 and ${counters.lastAt} = ${value('takenAt')} then 0 else ${counters.lastAt} end`,
      shortCount: lessOne(counters.shortCount, counters.shortFrom),
      longCount: lessOne(counters.longCount, counters.longFrom)
    },

    /** The row of a key's first failure. */
    firstFailure: { ...firstIncrement, shortFrom: 0, shortCount: 0, consecutiveFailures: 1 },
    failure: {
      lastAt: now,
      longCount: failures.count,
      longFrom: failures.from,
      consecutiveFailures: sql`case when ${counters.lastAt} <= ${value('lapsedAt')} then 1 else ${counters.consecutiveFailures} + 1 end`,
      expiresAt: laterExpiry
    },

    newSession: given('id', 'userId', 'seq', 'rotatedAt', 'createdAt', 'idleExpiresAt', 'expiresAt', 'revokedAt'),
    rotation: { ...given('idleExpiresAt'), seq: sql`${sessions.seq} + 1`, rotatedAt: now },
    revocation: { revokedAt: now }
  }
}
