import { and, eq, or, sql } from 'drizzle-orm'
import type { OtpAuthStorage } from '../contract.ts'
import { createAssignments } from './assignments.ts'
import { createConditions } from './conditions.ts'
import type { ReturningDialect } from './dialect.ts'
import { preparedByCount } from './prepared.ts'
import { admitsNone, attemptValues, failureValues, incrementValues } from './values.ts'
import { createVerbs } from './verbs.ts'

/** The storage contract for dialects with `returning` and `on conflict do update`: SQLite and PostgreSQL. Each verb is one statement. */
export function createReturningVerbs (dialect: ReturningDialect): OtpAuthStorage {
  const statements = createReturningStatements(dialect)

  return {
    ...createVerbs(dialect),

    withdrawCode: async (code) => { await statements.withdrawCode(code) },

    async tryCode (attempt) {
      const [tried] = await statements.tryCode(attempt.macs.length)(attemptValues(attempt))
      if (tried === undefined) return null
      return { accepted: tried.consumedAt !== null, attempts: tried.attempts, deviceKey: tried.deviceKey }
    },

    async consumeCode (attempt) {
      const [consumed] = await statements.consumeCode(attempt.macs.length)(attemptValues(attempt))
      return consumed ?? null
    },

    incrementCounter: async (increment) => !admitsNone(increment) && await statements.incrementCounter(incrementValues(increment)) === 1,

    countFailure: async (failure) => (await statements.countFailure(failureValues(failure)))[0]!
  }
}

function createReturningStatements ({ db, tables, execute, write, writeRows }: ReturningDialect) {
  const { challenges, counters } = tables
  const { firstIncrement, increment, firstFailure, failure } = createAssignments(tables)
  const { acceptsBoundAttempt, canBeConsumed, codeFits, isWithinLimits } = createConditions(tables)
  const value = sql.placeholder
  const isNewest = eq(challenges.codeMac, value('mac'))

  return {
    withdrawCode: execute(() => db.update(challenges).set({
      codeMac: sql`case when ${isNewest} then coalesce(${challenges.previousMac}, '') else ${challenges.codeMac} end`,
      codeLength: sql`case when ${isNewest} then coalesce(${challenges.previousLength}, ${challenges.codeLength}) else ${challenges.codeLength} end`,
      expiresAt: sql`case when ${isNewest} then coalesce(${challenges.previousExpiresAt}, ${value('now')}) else ${challenges.expiresAt} end`,
      previousMac: null,
      previousLength: null,
      previousExpiresAt: null
    }).where(and(eq(challenges.id, value('id')), or(isNewest, eq(challenges.previousMac, value('mac')))))),

    tryCode: preparedByCount((macCount) => writeRows(() => db.update(challenges).set({
      attempts: sql`${challenges.attempts} + 1`,
      consumedAt: sql`case when ${codeFits(macCount)} then ${value('now')} else ${challenges.consumedAt} end`
    }).where(acceptsBoundAttempt)
      .returning({ attempts: challenges.attempts, consumedAt: challenges.consumedAt, deviceKey: challenges.deviceKey }))),

    consumeCode: preparedByCount((macCount) => writeRows(() => db.update(challenges).set({ consumedAt: sql`${value('now')}` })
      .where(canBeConsumed(macCount)).returning({ deviceKey: challenges.deviceKey }))),

    incrementCounter: write(() => db.insert(counters).values(firstIncrement)
      .onConflictDoUpdate({ target: counters.key, set: increment, setWhere: isWithinLimits })),

    countFailure: writeRows(() => db.insert(counters).values(firstFailure)
      .onConflictDoUpdate({ target: counters.key, set: failure })
      .returning({ inWindow: counters.longCount, consecutive: counters.consecutiveFailures }))
  }
}
