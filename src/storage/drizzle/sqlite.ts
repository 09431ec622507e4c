import { and, desc, eq, gt, inArray, isNull, lt, lte, or, sql, type SQL } from 'drizzle-orm'
import type { AnySQLiteColumn, BaseSQLiteDatabase, PreparedQueryConfig, SQLitePreparedQuery, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { fileURLToPath } from 'node:url'
import type { ExpiringKind, OtpAuthStorage, UserRecord } from '../storage.ts'
import { isLibsqlFile, writeToLibsqlFile } from './libsql-file.ts'
import { budgets, challenges, sessions, users as defaultUsers } from './sqlite-schema.ts'
import { driverError, lazy, macValues, missingId, parseId, preparedByCount } from './shared.ts'

export { budgets, challenges, sessions, users } from './sqlite-schema.ts'

/** A users table of the host's own: these three properties under any column names, and whatever else it likes. */
export type UsersTable = SQLiteTable & {
  id: AnySQLiteColumn
  /** The normalised address: text, not null, **unique**, compared byte by byte. */
  email: AnySQLiteColumn<{ data: string, notNull: true }>
  isVerified: AnySQLiteColumn<{ data: boolean, notNull: true }>
}

export interface DrizzleStorageOptions {
  /** The host's own users table. @default the table `otp_users` of the shipped migrations */
  users?: UsersTable
}

/**
 * Where the shipped migrations are and where they are accounted for, apart from the host's own:
 * `migrate(db, migrations)` with the `migrate` of `drizzle-orm/better-sqlite3/migrator` or
 * `drizzle-orm/libsql/migrator`.
 */
export const migrations = Object.freeze({
  migrationsFolder: fileURLToPath(new URL('../../../drizzle/sqlite', import.meta.url)),
  migrationsTable: '__otp_auth_migrations'
})

/** A Drizzle database on SQLite, with whatever schema of the host's: better-sqlite3 is a `sync` one, libsql an `async` one. */
export type SQLiteDatabase =
  BaseSQLiteDatabase<'sync', unknown, Record<string, unknown>> | BaseSQLiteDatabase<'async', unknown, Record<string, unknown>>

/** Both kinds are used as if they were this one: `await` takes a plain value as well. */
type Database = BaseSQLiteDatabase<'async', unknown, Record<string, unknown>>

/**
 * Storage on SQLite >= 3.35 through Drizzle, on better-sqlite3 or libsql. Each verb is one statement; SQLite has one
 * writer at a time, so a statement is atomic across processes too.
 *
 * Open a file with `PRAGMA journal_mode = WAL` and let each connection wait for its turn:
 * - better-sqlite3 by its `timeout` option, which is 5000 ms unless set;
 * - libsql (`@libsql/client` >= 0.18) by `createClient({ url: 'file:…', timeout: 5000 })`. Without it a write that meets
 *   another one fails with `SQLITE_BUSY`, and `PRAGMA busy_timeout` is no substitute, for it reaches one connection of
 *   the client's pool.
 *
 * Give us a libsql **file client of our own**: a statement of the host's that failed with `SQLITE_BUSY` would leave its
 * connection reading an old state of the file, in which a logout has not happened yet. After one of our own we
 * reconnect the client, which ends whatever else runs on it.
 *
 * Both drivers wait by stopping the whole process. A write transaction that the host holds open across an `await` on
 * another connection to the file therefore stops it for the full timeout, after which our write rejects: keep such
 * transactions short and synchronous, or use a libsql server.
 *
 * A better-sqlite3 handle is one connection: while the host has a transaction open on it, our writes would be rolled
 * back with it, and a lost count is a free guess. So every write then rejects, which is answered 503. A libsql client
 * keeps its transactions apart.
 *
 * Of Drizzle's `withReplicas` the primary alone is used. A libsql embedded replica (`syncUrl`) cannot be told to: it
 * reads from its own copy, which may not have heard of a logout elsewhere, so give us a client of the server itself.
 *
 * @param db a Drizzle database on better-sqlite3 or libsql
 */
export function drizzleStorage (db: SQLiteDatabase, options: DrizzleStorageOptions = {}): OtpAuthStorage {
  const connection = ('$primary' in db ? db.$primary : db) as Database & { $client?: { inTransaction?: boolean } }
  const client = connection.$client
  const users = options.users ?? defaultUsers
  const statements = prepareStatements(connection, users as typeof defaultUsers)

  /** Runs a statement; each has a `returning`, so that all of them run alike. */
  async function write<T> (
    statement: SQLitePreparedQuery<PreparedQueryConfig & { type: 'async', all: T }>,
    values: Record<string, unknown>
  ): Promise<T> {
    if (client?.inTransaction === true) {
      throw new Error('the better-sqlite3 handle is inside a transaction of the host; give fastify-otp-auth a handle of its own')
    }
    return isLibsqlFile(client) ? writeToLibsqlFile(client, statement, values) : statement.all(values)
  }

  return {
    async insertChallenge (challenge) {
      await write(statements.insertChallenge(), { ...challenge })
    },

    async renewChallenge (renewal) {
      return (await write(statements.renewChallenge(), { ...renewal })).length === 1
    },

    async withdrawCode (code) {
      await write(statements.withdrawCode(), code)
    },

    async tryCode ({ macs, ...guess }) {
      const [outcome] = await write(statements.tryCode(macs.length), { ...guess, ...macValues(macs) })
      return outcome === undefined ? null : { ...outcome, accepted: outcome.accepted === 1 }
    },

    async consumeCode ({ macs, ...guess }) {
      const [consumed] = await write(statements.consumeCode(macs.length), { ...guess, ...macValues(macs) })
      return consumed ?? null
    },

    async findChallenge (id) {
      return (await statements.findChallenge().get({ id })) ?? null
    },

    async hasLiveChallenge (query) {
      return (await statements.hasLiveChallenge().get(query)) !== undefined
    },

    async takeBudget ({ key, now, cooldown, short, long }) {
      // The statement's insert, and a window that starts anew, count one without a look at the limit.
      if (short.limit < 1 || long.limit < 1) return false
      const admitted = await write(statements.takeBudget(), {
        key,
        now,
        // Without a cool-down a clock that stepped back must not refuse.
        lastBefore: cooldown === 0 ? Number.MAX_SAFE_INTEGER : now - cooldown,
        shortStart: now - short.length,
        shortLimit: short.limit,
        longStart: now - long.length,
        longLimit: long.limit,
        expiresAt: now + Math.max(cooldown, short.length, long.length)
      })
      return admitted.length === 1
    },

    async returnBudget ({ key, takenAt, cooldown, counts }) {
      await write(statements.returnBudget(), { key, takenAt, cooldown: Number(cooldown), counts: Number(counts) })
    },

    async countFailure ({ key, now, window, lapse }) {
      const [counts] = await write(statements.countFailure(), {
        key, now, windowStart: now - window, lapsedAt: now - lapse, expiresAt: now + Math.max(window, lapse)
      })
      return counts!
    },

    async clearFailuresInARow (key) {
      await write(statements.clearFailuresInARow(), { key })
    },

    async readBudget (key) {
      return (await statements.readBudget().get({ key })) ?? null
    },

    async findUser (email) {
      return toRecord(await statements.findUser().get({ email }))
    },

    async verifyUser (email) {
      return toRecord((await write(statements.verifyUser(), { email }))[0])
    },

    async insertUser ({ email, fields }) {
      const values = { ...missingId(users.id, fields), ...fields, email, isVerified: false }
      try {
        const [row] = await write(connection.insert(users as typeof defaultUsers).values(values).returning().prepare(), {})
        return { user: toRecord(row)! }
      } catch (error) {
        const cause = driverError(error)
        if (String(cause.code).startsWith('SQLITE_CONSTRAINT')) return { refused: cause }
        throw error
      }
    },

    userId: (user) => String((user as { id: unknown }).id),

    async insertSession (session) {
      await write(statements.insertSession(), { ...session })
    },

    async loadSession ({ sessionId, userId }) {
      const id = parseId(users.id, userId)
      if (id === undefined) return null
      const [session, row] = await Promise.all([
        statements.findSession().get({ sessionId, userId }),
        statements.findUserById().get({ id })
      ])
      const user = toRecord(row)
      return session === undefined || user === null ? null : { session, user }
    },

    async rotateSession (rotation) {
      return (await write(statements.rotateSession(), { ...rotation })).length === 1
    },

    async revokeSession (revocation) {
      return (await write(statements.revokeSession(), revocation)).length === 1
    },

    async revokeUserSessions (revocation) {
      return (await write(statements.revokeUserSessions(), revocation)).length
    },

    async listSessions (query) {
      return statements.listSessions().all(query)
    },

    async removeExpired ({ kind, before, limit }) {
      return (await write(statements.removeExpired[kind](), { before, limit })).length
    },

    async hasMixedCaseEmails (limit) {
      return (await statements.hasMixedCaseEmails().get({ limit })) !== undefined
    }
  }
}

function toRecord (row: { id: unknown, email: string, isVerified: boolean } | undefined): UserRecord | null {
  return row === undefined ? null : { id: String(row.id), email: row.email, isVerified: row.isVerified, row }
}

/** Every statement but the insert of a user, whose columns the host chooses; each is built and prepared once. */
function prepareStatements (db: Database, users: typeof defaultUsers) {
  const value = sql.placeholder
  const challengeIsLive = and(isNull(challenges.consumedAt), gt(challenges.expiresAt, value('now')))

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

  const removeExpired = (table: SQLiteTable, id: AnySQLiteColumn, expiry: AnySQLiteColumn) => lazy(() =>
    db.delete(table)
      .where(inArray(id, db.select({ id }).from(table).where(lt(expiry, value('before'))).limit(value('limit'))))
      .returning({ id }).prepare())

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
      lt(challenges.attempts, value('maxAttempts')),
      hasCodeOfLength
    )).returning({
      attempts: challenges.attempts,
      accepted: sql`${challenges.consumedAt} is not null`.mapWith(Number),
      deviceKey: challenges.deviceKey
    }).prepare()),

    consumeCode: preparedByCount((count) => db.update(challenges).set({ consumedAt: sql`${value('now')}` }).where(and(
      eq(challenges.subject, value('subject')),
      challengeIsLive,
      lt(challenges.attempts, value('maxAttempts')),
      codeFits(count)
    )).returning({ deviceKey: challenges.deviceKey }).prepare()),

    findChallenge: lazy(() => db.select().from(challenges).where(eq(challenges.id, value('id'))).prepare()),

    hasLiveChallenge: lazy(() => db.select({ id: challenges.id }).from(challenges)
      .where(and(eq(challenges.subject, value('subject')), challengeIsLive, hasCodeOfLength)).limit(1).prepare()),

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

    readBudget: lazy(() => db.select().from(budgets).where(eq(budgets.key, value('key'))).prepare()),

    findUser: lazy(() => db.select().from(users).where(eq(users.email, value('email'))).prepare()),

    findUserById: lazy(() => db.select().from(users).where(eq(users.id, value('id'))).prepare()),

    verifyUser: lazy(() => db.update(users).set({ isVerified: true })
      .where(and(eq(users.email, value('email')), eq(users.isVerified, false))).returning().prepare()),

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
      .where(and(eq(sessions.id, value('sessionId')), eq(sessions.userId, value('userId')))).prepare()),

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
    )).orderBy(desc(sessions.createdAt), desc(sessions.id)).prepare()),

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
