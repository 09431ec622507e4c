import { createHash } from 'node:crypto'
import { and, asc, desc, eq, gt, inArray, isNull, lt, lte, or, sql, type SQL } from 'drizzle-orm'
import type { AnyPgColumn, PgDatabase, PgQueryResultHKT, PgTable } from 'drizzle-orm/pg-core'
import type { ExpiringKind } from '../../storage.ts'
import { budgets, challenges, sessions, type users as defaultUsers } from './schema.ts'
import { preparedByCount } from '../shared.ts'

export type Database = PgDatabase<PgQueryResultHKT>

/** The part of Drizzle's query builders that preparing needs. */
interface Query<Prepared> {
  toSQL (): { sql: string }
  prepare (name: string): Prepared
}

const value = sql.placeholder

/**
 * The address, byte by byte, whatever the host's column makes of it: `citext` and nondeterministic collations would hand
 * over one user for the address of another. The first comparison is there for the column's index.
 */
export function hasEmail (users: typeof defaultUsers, email: unknown): SQL {
  return and(eq(users.email, email as string), sql`${asBytes(users.email)} = ${email}`)!
}

function asBytes (email: unknown): SQL {
  return sql`${email}::text collate "C"`
}

/**
 * Every statement but those whose columns or values the host chooses at each call; each is built and prepared once.
 *
 * node-postgres keeps prepared statements by name and connection, and refuses one name for two texts. So the name is made
 * from the text: storages that share a pool share a statement exactly where it is the same one. With `named` false the
 * server keeps nothing.
 *
 * Reads bypass a cache that the host may have given its Drizzle database: it would keep a logout secret.
 */
export function prepareStatements (db: Database, users: typeof defaultUsers, named: boolean) {
  function prepared<Prepared> (query: Query<Prepared>): Prepared {
    const digest = createHash('sha256').update(query.toSQL().sql).digest('hex')
    // No name is what Drizzle itself passes for a query that is not to be kept.
    return query.prepare((named ? `otp_auth_${digest.slice(0, 32)}` : undefined) as string)
  }

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
  const counted = (count: AnyPgColumn, from: AnyPgColumn, start: string) => ({
    count: sql`case when ${from} <= ${value(start)} then 1 else ${count} + 1 end`,
    from: sql`case when ${from} <= ${value(start)} then ${value('now')} else ${from} end`
  })
  const short = counted(budgets.shortCount, budgets.shortFrom, 'shortStart')
  const long = counted(budgets.longCount, budgets.longFrom, 'longStart')
  const failures = counted(budgets.longCount, budgets.longFrom, 'windowStart')
  /** A parameter has the type of what it is compared with, and a limit may be more than an `integer` holds. */
  const isBelow = (count: AnyPgColumn, limit: string) => sql`${count} < ${value(limit)}::bigint`
  const lessOneOf = (count: AnyPgColumn, from: AnyPgColumn) => sql`case
    when ${value('counts')}::boolean and ${count} > 0 and ${from} <= ${value('takenAt')} then ${count} - 1 else ${count} end`

  /**
   * The rows are chosen and locked once (`in (…)` may be run again for each row), those in use are left for the next
   * time: two cleaners cannot wait for each other, and no row goes that was prolonged meanwhile. They are taken in the
   * order of the index, or where most rows are over the planner takes to reading the whole table, batch after batch.
   */
  const removeExpired = (table: PgTable, id: AnyPgColumn, expiry: AnyPgColumn) => {
    const expired = db.select({ id }).from(table).where(lt(expiry, value('before'))).orderBy(asc(expiry)).limit(value('limit'))
      .for('update', { skipLocked: true })
    return prepared(db.delete(table).where(sql`${id} = any(array${expired})`).returning({ id }))
  }

  return {
    insertChallenge: prepared(db.insert(challenges).values({
      id: value('id'),
      subject: value('subject'),
      codeMac: value('codeMac'),
      codeLength: value('codeLength'),
      expiresAt: value('expiresAt'),
      deviceKey: value('deviceKey')
    })),

    renewChallenge: prepared(db.update(challenges).set({
      previousMac: sql`${challenges.codeMac}`,
      previousLength: sql`${challenges.codeLength}`,
      previousExpiresAt: sql`${challenges.expiresAt}`,
      codeMac: sql`${value('codeMac')}`,
      codeLength: sql`${value('codeLength')}`,
      expiresAt: sql`${value('expiresAt')}`,
      deviceKey: sql`${value('deviceKey')}`,
      attempts: 0
    }).where(and(eq(challenges.id, value('id')), eq(challenges.subject, value('subject')), challengeIsLive))
      .returning({ id: challenges.id })),

    withdrawCode: prepared(db.update(challenges).set({
      codeMac: sql`case when ${challenges.codeMac} = ${value('mac')} then coalesce(${challenges.previousMac}, '') else ${challenges.codeMac} end`,
      codeLength: sql`case when ${challenges.codeMac} = ${value('mac')} then coalesce(${challenges.previousLength}, ${challenges.codeLength}) else ${challenges.codeLength} end`,
      expiresAt: sql`case when ${challenges.codeMac} = ${value('mac')} then coalesce(${challenges.previousExpiresAt}, ${value('now')}) else ${challenges.expiresAt} end`,
      previousMac: null,
      previousLength: null,
      previousExpiresAt: null
    }).where(and(
      eq(challenges.id, value('id')),
      or(eq(challenges.codeMac, value('mac')), eq(challenges.previousMac, value('mac')))
    ))),

    tryCode: preparedByCount((count) => prepared(db.update(challenges).set({
      attempts: sql`${challenges.attempts} + 1`,
      consumedAt: sql`case when ${codeFits(count)} then ${value('now')}::bigint end`
    }).where(and(
      eq(challenges.id, value('id')),
      eq(challenges.subject, value('subject')),
      challengeIsLive,
      triesAreLeft,
      hasCodeOfLength
    )).returning({ attempts: challenges.attempts, consumedAt: challenges.consumedAt, deviceKey: challenges.deviceKey }))),

    consumeCode: preparedByCount((count) => prepared(db.update(challenges).set({ consumedAt: sql`${value('now')}` }).where(and(
      eq(challenges.subject, value('subject')),
      challengeIsLive,
      triesAreLeft,
      codeFits(count)
    )).returning({ deviceKey: challenges.deviceKey }))),

    findChallenge: prepared(db.select().from(challenges).where(eq(challenges.id, value('id'))).$withCache(false)),

    hasLiveChallenge: prepared(db.select({ id: challenges.id }).from(challenges)
      .where(and(eq(challenges.subject, value('subject')), challengeIsLive, triesAreLeft, hasCodeOfLength)).limit(1).$withCache(false)),

    takeBudget: prepared(db.insert(budgets).values({
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
        expiresAt: sql`greatest(${budgets.expiresAt}, ${value('expiresAt')})`
      },
      setWhere: and(
        lte(budgets.lastAt, value('lastBefore')),
        or(isBelow(budgets.shortCount, 'shortLimit'), lte(budgets.shortFrom, value('shortStart'))),
        or(isBelow(budgets.longCount, 'longLimit'), lte(budgets.longFrom, value('longStart')))
      )
    }).returning({ key: budgets.key })),

    returnBudget: prepared(db.update(budgets).set({
      lastAt: sql`case when ${value('cooldown')}::boolean and ${budgets.lastAt} = ${value('takenAt')} then 0 else ${budgets.lastAt} end`,
      shortCount: lessOneOf(budgets.shortCount, budgets.shortFrom),
      longCount: lessOneOf(budgets.longCount, budgets.longFrom)
    }).where(eq(budgets.key, value('key')))),

    countFailure: prepared(db.insert(budgets).values({
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
        expiresAt: sql`greatest(${budgets.expiresAt}, ${value('expiresAt')})`
      }
    }).returning({ inWindow: budgets.longCount, inARow: budgets.inARow })),

    clearFailuresInARow: prepared(db.update(budgets).set({ inARow: 0 }).where(eq(budgets.key, value('key')))),

    readBudget: prepared(db.select().from(budgets).where(eq(budgets.key, value('key'))).$withCache(false)),

    findUser: prepared(db.select().from(users).where(hasEmail(users, value('email'))).$withCache(false)),

    insertSession: prepared(db.insert(sessions).values({
      id: value('id'),
      userId: value('userId'),
      seq: value('seq'),
      rotatedAt: value('rotatedAt'),
      createdAt: value('createdAt'),
      idleExpiresAt: value('idleExpiresAt'),
      expiresAt: value('expiresAt'),
      revokedAt: value('revokedAt')
    })),

    // One round trip. Each row is found by its own primary key: the two ids, of two types, are never compared. Nor is
    // `user_id`, whose index the planner may take for the better one, and then read all the sessions of that user.
    loadSession: prepared(db.select({ session: sessions, user: users }).from(sessions)
      .innerJoin(users, eq(users.id, value('id'))).where(eq(sessions.id, value('sessionId'))).$withCache(false)),

    rotateSession: prepared(db.update(sessions).set({
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
    )).returning({ id: sessions.id })),

    revokeSession: prepared(db.update(sessions).set({ revokedAt: sql`${value('now')}` })
      .where(and(eq(sessions.id, value('id')), isNull(sessions.revokedAt))).returning({ id: sessions.id })),

    revokeUserSessions: prepared(db.update(sessions).set({ revokedAt: sql`${value('now')}` }).where(and(
      eq(sessions.userId, value('userId')),
      isNull(sessions.revokedAt),
      lt(sessions.createdAt, value('startedBefore'))
    )).returning({ id: sessions.id })),

    listSessions: prepared(db.select().from(sessions).where(and(
      eq(sessions.userId, value('userId')),
      isNull(sessions.revokedAt),
      gt(sessions.expiresAt, value('now')),
      gt(sessions.idleExpiresAt, value('now'))
    )).orderBy(desc(sessions.createdAt), desc(sessions.id)).$withCache(false)),

    removeExpired: {
      challenges: removeExpired(challenges, challenges.id, challenges.expiresAt),
      budgets: removeExpired(budgets, budgets.key, budgets.expiresAt),
      sessions: removeExpired(sessions, sessions.id, sessions.idleExpiresAt)
    } satisfies Record<ExpiringKind, unknown>,

    // A look at the first rows only: this runs at every boot and must not scan a large table.
    hasMixedCaseEmails: (() => {
      const first = db.select({ email: users.email }).from(users).limit(value('limit')).as('first')
      return prepared(db.select({ email: first.email }).from(first)
        .where(sql`${asBytes(first.email)} <> lower(${asBytes(first.email)})`).limit(1).$withCache(false))
    })()
  }
}
