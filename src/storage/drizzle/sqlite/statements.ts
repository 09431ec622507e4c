import { and, asc, desc, eq, gt, inArray, isNull, lt, lte, or, sql, type SQL } from 'drizzle-orm'
import type { AnySQLiteColumn, BaseSQLiteDatabase, SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { ExpiringKind } from '../../storage.ts'
import { lazy, preparedByCount } from '../shared.ts'
import { budgets, challenges, sessions, type users as defaultUsers } from './schema.ts'

/** Both kinds are used as if they were this one: `await` takes a plain value as well. */
export type Database = BaseSQLiteDatabase<'async', unknown, Record<string, unknown>>

/**
 * Every statement that never changes, built and prepared once. A user is inserted and verified by statements built anew,
 * for the host's own columns may have values for each of them, such as its time.
 */
export function prepareStatements (db: Database, users: typeof defaultUsers) {
  const value = sql.placeholder
  const challengeIsLive = and(isNull(challenges.consumedAt), gt(challenges.expiresAt, value('now')))
  const triesAreLeft = lt(challenges.attempts, value('maxAttempts'))

  /** The newest code, or the one before while it lives. */
  const codeFits = (count: number): SQL => {
    const macs = Array.from({ length: count }, (_, position) => value(`mac${position}`))
    return or(
      inArray(challenges.codeMac, macs),
      and(inArray(challenges.previousMac, macs), gt(challenges.previousExpiresAt, value('now')))
    )!
  }
  const hasCodeOfLength = or(
    eq(challenges.codeLength, value('codeLength')),
    and(eq(challenges.previousLength, value('codeLength')), gt(challenges.previousExpiresAt, value('now')))
  )

  /** Counts on in a window that runs, or starts a new one. Each expression sees the row as it was. */
  const counted = (count: AnySQLiteColumn, from: AnySQLiteColumn, start: string) => ({
    count: sql<number>`case when ${from} <= ${value(start)} then 1 else ${count} + 1 end`,
    from: sql<number>`case when ${from} <= ${value(start)} then ${value('now')} else ${from} end`
  })
  const short = counted(budgets.shortCount, budgets.shortFrom, 'shortStart')
  const long = counted(budgets.longCount, budgets.longFrom, 'longStart')
  const failures = counted(budgets.longCount, budgets.longFrom, 'windowStart')
  const lessOneOf = (count: AnySQLiteColumn, from: AnySQLiteColumn) => sql<number>`case
    when ${value('counts')} = 1 and ${count} > 0 and ${from} <= ${value('takenAt')} then ${count} - 1 else ${count} end`

  // In the order of the index, or where most rows are over the planner may take to reading the whole table.
  const removeExpired = (table: SQLiteTable, id: AnySQLiteColumn, expiry: AnySQLiteColumn) => lazy(() => {
    const expired = db.select({ id }).from(table).where(lt(expiry, value('before'))).orderBy(asc(expiry)).limit(value('limit'))
    return db.delete(table).where(inArray(id, expired)).returning({ id }).prepare()
  })

  return {
    insertChallenge: lazy(() => db.insert(challenges).values({
      id: value('id'),
      subject: value('subject'),
      codeMac: value('codeMac'),
      codeLength: value('codeLength'),
      expiresAt: value('expiresAt'),
      deviceKey: value('deviceKey')
    }).returning({ id: challenges.id }).prepare()),

    renewChallenge: lazy(() => db.update(challenges).set({
      previousMac: sql`${challenges.codeMac}`,
      previousLength: sql`${challenges.codeLength}`,
      previousExpiresAt: sql`${challenges.expiresAt}`,
      codeMac: sql`${value('codeMac')}`,
      codeLength: sql`${value('codeLength')}`,
      expiresAt: sql`${value('expiresAt')}`,
      deviceKey: sql`${value('deviceKey')}`,
      attempts: 0
    }).where(and(eq(challenges.id, value('id')), eq(challenges.subject, value('subject')), challengeIsLive))
      .returning({ id: challenges.id }).prepare()),

    withdrawCode: lazy(() => db.update(challenges).set({
      codeMac: sql`case when ${challenges.codeMac} = ${value('mac')} then coalesce(${challenges.previousMac}, '') else ${challenges.codeMac} end`,
      codeLength: sql`case when ${challenges.codeMac} = ${value('mac')} then coalesce(${challenges.previousLength}, ${challenges.codeLength}) else ${challenges.codeLength} end`,
      expiresAt: sql`case when ${challenges.codeMac} = ${value('mac')} then coalesce(${challenges.previousExpiresAt}, ${value('now')}) else ${challenges.expiresAt} end`,
      previousMac: null,
      previousLength: null,
      previousExpiresAt: null
    }).where(and(
      eq(challenges.id, value('id')),
      or(eq(challenges.codeMac, value('mac')), eq(challenges.previousMac, value('mac')))
    )).returning({ id: challenges.id }).prepare()),

    tryCode: preparedByCount((count) => db.update(challenges).set({
      attempts: sql`${challenges.attempts} + 1`,
      consumedAt: sql`case when ${codeFits(count)} then ${value('now')} else null end`
    }).where(and(
      eq(challenges.id, value('id')),
      eq(challenges.subject, value('subject')),
      challengeIsLive,
      triesAreLeft,
      hasCodeOfLength
    )).returning({
      attempts: challenges.attempts,
      accepted: sql`${challenges.consumedAt} is not null`.mapWith(Number),
      deviceKey: challenges.deviceKey
    }).prepare()),

    consumeCode: preparedByCount((count) => db.update(challenges).set({ consumedAt: sql`${value('now')}` }).where(and(
      eq(challenges.subject, value('subject')),
      challengeIsLive,
      triesAreLeft,
      codeFits(count)
    )).returning({ deviceKey: challenges.deviceKey }).prepare()),

    findChallenge: lazy(() => db.select().from(challenges).where(eq(challenges.id, value('id'))).$withCache(false).prepare()),

    hasLiveChallenge: lazy(() => db.select({ id: challenges.id }).from(challenges)
      .where(and(eq(challenges.subject, value('subject')), challengeIsLive, triesAreLeft, hasCodeOfLength)).limit(1).$withCache(false).prepare()),

    takeBudget: lazy(() => db.insert(budgets).values({
      key: value('key'),
      lastAt: value('now'),
      shortFrom: value('now'),
      shortCount: 1,
      longFrom: value('now'),
      longCount: 1,
      expiresAt: value('expiresAt')
    }).onConflictDoUpdate({
      target: budgets.key,
      set: {
        lastAt: sql`${value('now')}`,
        shortCount: short.count,
        shortFrom: short.from,
        longCount: long.count,
        longFrom: long.from,
        expiresAt: sql`max(${budgets.expiresAt}, ${value('expiresAt')})`
      },
      setWhere: and(
        lte(budgets.lastAt, value('lastBefore')),
        or(lt(budgets.shortCount, value('shortLimit')), lte(budgets.shortFrom, value('shortStart'))),
        or(lt(budgets.longCount, value('longLimit')), lte(budgets.longFrom, value('longStart')))
      )
    }).returning({ key: budgets.key }).prepare()),

    returnBudget: lazy(() => db.update(budgets).set({
      lastAt: sql`case when ${value('cooldown')} = 1 and ${budgets.lastAt} = ${value('takenAt')} then 0 else ${budgets.lastAt} end`,
      shortCount: lessOneOf(budgets.shortCount, budgets.shortFrom),
      longCount: lessOneOf(budgets.longCount, budgets.longFrom)
    }).where(eq(budgets.key, value('key'))).returning({ key: budgets.key }).prepare()),

    countFailure: lazy(() => db.insert(budgets).values({
      key: value('key'),
      lastAt: value('now'),
      shortFrom: 0,
      shortCount: 0,
      longFrom: value('now'),
      longCount: 1,
      inARow: 1,
      expiresAt: value('expiresAt')
    }).onConflictDoUpdate({
      target: budgets.key,
      set: {
        lastAt: sql`${value('now')}`,
        longCount: failures.count,
        longFrom: failures.from,
        inARow: sql`case when ${budgets.lastAt} <= ${value('lapsedAt')} then 1 else ${budgets.inARow} + 1 end`,
        expiresAt: sql`max(${budgets.expiresAt}, ${value('expiresAt')})`
      }
    }).returning({ inWindow: budgets.longCount, inARow: budgets.inARow }).prepare()),

    clearFailuresInARow: lazy(() => db.update(budgets).set({ inARow: 0 })
      .where(eq(budgets.key, value('key'))).returning({ key: budgets.key }).prepare()),

    readBudget: lazy(() => db.select().from(budgets).where(eq(budgets.key, value('key'))).$withCache(false).prepare()),

    findUser: lazy(() => db.select().from(users).where(eq(users.email, value('email'))).$withCache(false).prepare()),

    findUserById: lazy(() => db.select().from(users).where(eq(users.id, sql.param(value('id'), users.id))).$withCache(false).prepare()),

    insertSession: lazy(() => db.insert(sessions).values({
      id: value('id'),
      userId: value('userId'),
      seq: value('seq'),
      rotatedAt: value('rotatedAt'),
      createdAt: value('createdAt'),
      idleExpiresAt: value('idleExpiresAt'),
      expiresAt: value('expiresAt'),
      revokedAt: value('revokedAt')
    }).returning({ id: sessions.id }).prepare()),

    findSession: lazy(() => db.select().from(sessions)
      .where(and(eq(sessions.id, value('sessionId')), eq(sessions.userId, value('userId')))).$withCache(false).prepare()),

    rotateSession: lazy(() => db.update(sessions).set({
      seq: sql`${sessions.seq} + 1`,
      rotatedAt: sql`${value('now')}`,
      idleExpiresAt: sql`${value('idleExpiresAt')}`
    }).where(and(
      eq(sessions.id, value('id')),
      eq(sessions.seq, value('seq')),
      isNull(sessions.revokedAt),
      gt(sessions.expiresAt, value('now')),
      gt(sessions.idleExpiresAt, value('now')),
      or(isNull(sessions.rotatedAt), lt(sessions.rotatedAt, value('rotatedBefore')))
    )).returning({ id: sessions.id }).prepare()),

    revokeSession: lazy(() => db.update(sessions).set({ revokedAt: sql`${value('now')}` })
      .where(and(eq(sessions.id, value('id')), isNull(sessions.revokedAt))).returning({ id: sessions.id }).prepare()),

    revokeUserSessions: lazy(() => db.update(sessions).set({ revokedAt: sql`${value('now')}` }).where(and(
      eq(sessions.userId, value('userId')),
      isNull(sessions.revokedAt),
      lt(sessions.createdAt, value('startedBefore'))
    )).returning({ id: sessions.id }).prepare()),

    listSessions: lazy(() => db.select().from(sessions).where(and(
      eq(sessions.userId, value('userId')),
      isNull(sessions.revokedAt),
      gt(sessions.expiresAt, value('now')),
      gt(sessions.idleExpiresAt, value('now'))
    )).orderBy(desc(sessions.createdAt), desc(sessions.id)).$withCache(false).prepare()),

    removeExpired: {
      challenges: removeExpired(challenges, challenges.id, challenges.expiresAt),
      budgets: removeExpired(budgets, budgets.key, budgets.expiresAt),
      sessions: removeExpired(sessions, sessions.id, sessions.idleExpiresAt)
    } satisfies Record<ExpiringKind, unknown>,

    // A look at the first rows only: this runs at every boot and must not scan a large table.
    hasMixedCaseEmails: lazy(() => {
      const first = db.select({ email: users.email }).from(users).limit(value('limit')).as('first')
      return db.select({ email: first.email }).from(first).where(sql`${first.email} <> lower(${first.email})`).limit(1).prepare()
    })
  }
}
