import { and, asc, desc, eq, gt, inArray, isNull, lt, lte, or, sql, type SQL } from 'drizzle-orm'
import type { AnyMySqlColumn, MySqlTable } from 'drizzle-orm/mysql-core'
import type { ExpiringKind } from '../../storage.ts'
import type { Database } from './connection.ts'
import { budgets, challenges, sessions, type users as defaultUsers } from './schema.ts'
import { lazy, preparedByCount } from '../shared.ts'

/** Splits the two counts of a failure, which come back as one number: more in a row than this are not told apart. */
export const IN_A_ROW_SPAN = 2 ** 20

/**
 * Every statement but the insert of a user, whose columns the host chooses. No read may come from a cache that the host
 * gave Drizzle: it would keep a logout secret.
 *
 * The order of assignments matters, see `mysql-schema.ts`; each expression here sees the row as it was.
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
  const consumable = (count: number) => and(
    eq(challenges.subject, value('subject')),
    challengeIsLive,
    triesAreLeft,
    codeFits(count)
  )
  const hasCodeOfLength = or(
    eq(challenges.codeLength, value('codeLength')),
    and(eq(challenges.previousLength, value('codeLength')), gt(challenges.previousExpiresAt, value('now')))
  )

  /** Counts on in a window that runs, or starts a new one. */
  const counted = (count: AnyMySqlColumn, from: AnyMySqlColumn, start: string) => ({
    count: sql`case when ${from} <= ${value(start)} then 1 else ${count} + 1 end`,
    from: sql`case when ${from} <= ${value(start)} then ${value('now')} else ${from} end`
  })
  const short = counted(budgets.shortCount, budgets.shortFrom, 'shortStart')
  const long = counted(budgets.longCount, budgets.longFrom, 'longStart')
  const failures = counted(budgets.longCount, budgets.longFrom, 'windowStart')
  const failuresInARow = sql`case when ${budgets.lastAt} <= ${value('lapsedAt')} then 1 else least(${budgets.inARow} + 1, ${IN_A_ROW_SPAN - 1}) end`
  const laterExpiry = sql`greatest(${budgets.expiresAt}, ${value('expiresAt')})`
  const lessOneOf = (count: AnyMySqlColumn, from: AnyMySqlColumn) => sql`case
    when ${value('counts')} = 1 and ${count} > 0 and ${from} <= ${value('takenAt')} then ${count} - 1 else ${count} end`

  /** Byte by byte, whatever the collation of the host's column; the plain comparison beside it finds the row by index. */
  const emailIs = and(eq(users.email, value('email')), sql`cast(${users.email} as binary) = cast(${value('email')} as binary)`)

  // In the order of the index, so that no row is locked but those that go.
  const removeExpired = (table: MySqlTable, expiry: AnyMySqlColumn) => lazy(() =>
    db.delete(table).where(lt(expiry, value('before'))).orderBy(asc(expiry)).limit(value('limit')).prepare())

  return {
    insertChallenge: lazy(() => db.insert(challenges).values({
      id: value('id'),
      subject: value('subject'),
      codeMac: value('codeMac'),
      codeLength: value('codeLength'),
      expiresAt: value('expiresAt'),
      deviceKey: value('deviceKey')
    }).prepare()),

    renewChallenge: lazy(() => db.update(challenges).set({
      previousMac: sql`${challenges.codeMac}`,
      previousLength: sql`${challenges.codeLength}`,
      previousExpiresAt: sql`${challenges.expiresAt}`,
      codeMac: sql`${value('codeMac')}`,
      codeLength: sql`${value('codeLength')}`,
      expiresAt: sql`${value('expiresAt')}`,
      attempts: 0,
      deviceKey: sql`${value('deviceKey')}`
    }).where(and(eq(challenges.id, value('id')), eq(challenges.subject, value('subject')), challengeIsLive)).prepare()),

    // Written out, for here the older code moves to the newer one's columns, against the order of the table.
    withdrawCode: ({ id, mac, now }: { id: string, mac: string, now: number }) => db.execute(sql`update ${challenges} set
      code_length = if(code_mac = ${mac}, coalesce(previous_length, code_length), code_length),
      expires_at = if(code_mac = ${mac}, coalesce(previous_expires_at, ${now}), expires_at),
      code_mac = if(code_mac = ${mac}, coalesce(previous_mac, ''), code_mac),
      previous_mac = null, previous_length = null, previous_expires_at = null
      where id = ${id} and (code_mac = ${mac} or previous_mac = ${mac})`),

    findDevice: lazy(() => db.select({ deviceKey: challenges.deviceKey }).from(challenges)
      .where(and(eq(challenges.id, value('id')), eq(challenges.subject, value('subject')))).$withCache(false).prepare()),

    // Its answer is twice the tries taken, and one more where the code fitted.
    tryCode: preparedByCount((count) => db.update(challenges).set({
      attempts: sql`last_insert_id((${challenges.attempts} + 1) * 2 + if(${codeFits(count)}, 1, 0)) div 2`,
      consumedAt: sql`if(${codeFits(count)}, ${value('now')}, null)`
    }).where(and(
      eq(challenges.id, value('id')),
      eq(challenges.subject, value('subject')),
      sql`${challenges.deviceKey} <=> ${value('deviceKey')}`,
      challengeIsLive,
      triesAreLeft,
      hasCodeOfLength
    )).prepare()),

    findConsumable: preparedByCount((count) => db.select({ id: challenges.id, deviceKey: challenges.deviceKey })
      .from(challenges).where(consumable(count)).$withCache(false).prepare()),

    // By primary key: a condition on the subject alone would lock that index, and gaps in it that others insert into.
    consumeCode: (ids: string[], count: number) => db.update(challenges).set({ consumedAt: sql`${value('now')}` })
      .where(and(inArray(challenges.id, ids), consumable(count))).prepare(),

    findChallenge: lazy(() => db.select().from(challenges).where(eq(challenges.id, value('id'))).$withCache(false).prepare()),

    hasLiveChallenge: lazy(() => db.select({ id: challenges.id }).from(challenges)
      .where(and(eq(challenges.subject, value('subject')), challengeIsLive, triesAreLeft, hasCodeOfLength)).limit(1).$withCache(false).prepare()),

    takeBudget: lazy(() => db.update(budgets).set({
      shortCount: short.count,
      shortFrom: short.from,
      longCount: long.count,
      longFrom: long.from,
      lastAt: sql`${value('now')}`,
      expiresAt: laterExpiry
    }).where(and(
      eq(budgets.key, value('key')),
      lte(budgets.lastAt, value('lastBefore')),
      or(lt(budgets.shortCount, value('shortLimit')), lte(budgets.shortFrom, value('shortStart'))),
      or(lt(budgets.longCount, value('longLimit')), lte(budgets.longFrom, value('longStart')))
    )).prepare()),

    startBudget: lazy(() => db.insert(budgets).values({
      key: value('key'),
      shortCount: 1,
      shortFrom: value('now'),
      longCount: 1,
      longFrom: value('now'),
      lastAt: value('now'),
      expiresAt: value('expiresAt')
    }).prepare()),

    returnBudget: lazy(() => db.update(budgets).set({
      shortCount: lessOneOf(budgets.shortCount, budgets.shortFrom),
      longCount: lessOneOf(budgets.longCount, budgets.longFrom),
      lastAt: sql`case when ${value('cooldown')} = 1 and ${budgets.lastAt} = ${value('takenAt')} then 0 else ${budgets.lastAt} end`
    }).where(eq(budgets.key, value('key'))).prepare()),

    // Its answer holds both counts, see IN_A_ROW_SPAN.
    countFailure: lazy(() => db.update(budgets).set({
      inARow: sql`last_insert_id((${failures.count}) * ${IN_A_ROW_SPAN} + ${failuresInARow}) mod ${IN_A_ROW_SPAN}`,
      longCount: failures.count,
      longFrom: failures.from,
      lastAt: sql`${value('now')}`,
      expiresAt: laterExpiry
    }).where(eq(budgets.key, value('key'))).prepare()),

    startFailures: lazy(() => db.insert(budgets).values({
      key: value('key'),
      inARow: 1,
      shortCount: 0,
      shortFrom: 0,
      longCount: 1,
      longFrom: value('now'),
      lastAt: value('now'),
      expiresAt: value('expiresAt')
    }).prepare()),

    clearFailuresInARow: lazy(() => db.update(budgets).set({ inARow: 0 }).where(eq(budgets.key, value('key'))).prepare()),

    readBudget: lazy(() => db.select().from(budgets).where(eq(budgets.key, value('key'))).$withCache(false).prepare()),

    findUser: lazy(() => db.select().from(users).where(emailIs).$withCache(false).prepare()),

    // Built at each call: preparing it would freeze what the host's columns set at every update.
    verifyUser: () => db.update(users).set({ isVerified: true }).where(and(emailIs, eq(users.isVerified, false))).prepare(),

    insertSession: lazy(() => db.insert(sessions).values({
      id: value('id'),
      userId: value('userId'),
      seq: value('seq'),
      rotatedAt: value('rotatedAt'),
      createdAt: value('createdAt'),
      idleExpiresAt: value('idleExpiresAt'),
      expiresAt: value('expiresAt'),
      revokedAt: value('revokedAt')
    }).prepare()),

    // One round trip: each row by its own primary key, so the two id types never meet.
    loadSession: lazy(() => db.select({ session: sessions, user: users }).from(sessions)
      .innerJoin(users, eq(users.id, sql.param(value('id'), users.id)))
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
    )).prepare()),

    revokeSession: lazy(() => db.update(sessions).set({ revokedAt: sql`${value('now')}` })
      .where(and(eq(sessions.id, value('id')), isNull(sessions.revokedAt))).prepare()),

    revokeUserSessions: lazy(() => db.update(sessions).set({ revokedAt: sql`${value('now')}` }).where(and(
      eq(sessions.userId, value('userId')),
      isNull(sessions.revokedAt),
      lt(sessions.createdAt, value('startedBefore'))
    )).prepare()),

    listSessions: lazy(() => db.select().from(sessions).where(and(
      eq(sessions.userId, value('userId')),
      isNull(sessions.revokedAt),
      gt(sessions.expiresAt, value('now')),
      gt(sessions.idleExpiresAt, value('now'))
    )).orderBy(desc(sessions.createdAt), desc(sessions.id)).$withCache(false).prepare()),

    removeExpired: {
      challenges: removeExpired(challenges, challenges.expiresAt),
      budgets: removeExpired(budgets, budgets.expiresAt),
      sessions: removeExpired(sessions, sessions.idleExpiresAt)
    } satisfies Record<ExpiringKind, unknown>,

    firstEmails: lazy(() => db.select({ email: users.email }).from(users).limit(value('limit')).$withCache(false).prepare())
  }
}
