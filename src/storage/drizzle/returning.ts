import { and, eq, or, sql } from 'drizzle-orm'
import type { OtpAuthStorage } from '../storage.ts'
import { createAssignments } from './assignments.ts'
import { createConditions } from './conditions.ts'
import type { ReturningDialect } from './dialect.ts'
import { driverError } from './driver-error.ts'
import { preparedByCount } from './prepared.ts'
import { missingId, toUserRecord } from './users-table.ts'
import { admitsNone, attemptValues, failureValues, incrementValues } from './values.ts'
import { createVerbs } from './verbs.ts'

/** The statements of dialects that have `returning` and `on conflict do update`: SQLite and PostgreSQL. */
function createReturningStatements ({ db, tables, write, writeRows }: ReturningDialect) {
  const { challenges, budgets } = tables
  const { firstIncrement, increment, firstFailure, failure } = createAssignments(tables)
  const { acceptsBoundAttempt, canBeConsumed, codeFits, isWithinLimits } = createConditions(tables)
  const value = sql.placeholder
  const isNewest = eq(challenges.codeMac, value('mac'))

  return {
    withdrawCode: write(() => db.update(challenges).set({
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
    }).where(acceptsBoundAttempt).returning({
      attempts: challenges.attempts,
      consumedAt: challenges.consumedAt,
      deviceKey: challenges.deviceKey
    }))),

    consumeCode: preparedByCount((macCount) => writeRows(() => db.update(challenges).set({ consumedAt: sql`${value('now')}` })
      .where(canBeConsumed(macCount)).returning({ deviceKey: challenges.deviceKey }))),

    takeBudget: write(() => db.insert(budgets).values(firstIncrement)
      .onConflictDoUpdate({ target: budgets.key, set: increment, setWhere: isWithinLimits })),

    countFailure: writeRows(() => db.insert(budgets).values(firstFailure)
      .onConflictDoUpdate({ target: budgets.key, set: failure })
      .returning({ inWindow: budgets.longCount, inARow: budgets.inARow }))
  }
}

/** The storage contract for these dialects. Each verb is one statement. */
export function createReturningVerbs (dialect: ReturningDialect): OtpAuthStorage {
  const { db, tables: { users }, writeOnce, emailIs, isRefusal } = dialect
  const statements = createReturningStatements(dialect)

  return {
    ...createVerbs(dialect),

    async withdrawCode (code) {
      await statements.withdrawCode(code)
    },

    async tryCode (attempt) {
      const [tried] = await statements.tryCode(attempt.macs.length)(attemptValues(attempt))
      if (tried === undefined) return null
      return { accepted: tried.consumedAt !== null, attempts: tried.attempts, deviceKey: tried.deviceKey }
    },

    async consumeCode (attempt) {
      const [consumed] = await statements.consumeCode(attempt.macs.length)(attemptValues(attempt))
      return consumed ?? null
    },

    async takeBudget (take) {
      return !admitsNone(take) && await statements.takeBudget(incrementValues(take)) === 1
    },

    async countFailure (failure) {
      const [counts] = await statements.countFailure(failureValues(failure))
      return counts!
    },

    // The next two are built at each call, because the application's columns may set values of their own, such as the time.
    async verifyUser (email) {
      const [row] = await writeOnce(db.update(users).set({ isVerified: true })
        .where(and(emailIs(email), eq(users.isVerified, false))).returning())
      return row === undefined ? null : toUserRecord(row)
    },

    async insertUser ({ email, fields }) {
      const values = { ...missingId(users.id, fields), ...fields, email, isVerified: false }
      try {
        const [row] = await writeOnce(db.insert(users).values(values).returning())
        return { user: toUserRecord(row!) }
      } catch (error) {
        if (isRefusal(error)) return { refused: driverError(error) }
        throw error
      }
    }
  }
}
