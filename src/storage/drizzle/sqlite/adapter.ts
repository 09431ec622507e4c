import { and, eq } from 'drizzle-orm'
import type { PreparedQueryConfig, SQLitePreparedQuery } from 'drizzle-orm/sqlite-core'
import { fileURLToPath } from 'node:url'
import type { OtpAuthStorage, UserRecord } from '../../storage.ts'
import { refuseUnknownNames } from '../../adapter-options.ts'
import type { AnyTable, FilledColumn, UsersColumn } from '../users-table.ts'
import { isLibsqlFile, writeToLibsqlFile } from './libsql-file.ts'
import { driverError, macValues, missingId, parseId, usersTable } from '../shared.ts'
import { users as defaultUsers } from './schema.ts'
import { prepareStatements, type Database } from './statements.ts'

export { budgets, challenges, sessions, users } from './schema.ts'

/** A users table of the host's own: these three properties under any column names, and whatever else it likes. */
export interface UsersTable extends AnyTable {
  id: UsersColumn<'sqlite'>
  /** The normalised address: text, not null, **unique**, compared byte by byte. */
  email: FilledColumn<'sqlite', string>
  isVerified: FilledColumn<'sqlite', boolean>
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
  migrationsFolder: fileURLToPath(new URL('../../../../drizzle/sqlite', import.meta.url)),
  migrationsTable: '__otp_auth_migrations'
})

/** A Drizzle database on SQLite, with whatever schema of the host's: better-sqlite3 is a `sync` one, libsql an `async` one. */
export interface SQLiteDatabase {
  insert (table: never): unknown
  all (query: never): unknown
  values (query: never): unknown
}

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
 * @throws TypeError that names the column which the host's users table lacks, or the option which does not exist
 */
export function drizzleStorage (db: SQLiteDatabase, options: DrizzleStorageOptions = {}): OtpAuthStorage {
  refuseUnknownNames(options, ['users'])
  const connection = ('$primary' in db ? db.$primary : db) as unknown as Database & { $client?: { inTransaction?: boolean } }
  const client = connection.$client
  const users = usersTable(options.users, defaultUsers)
  const statements = prepareStatements(connection, users)

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
      const verify = connection.update(users).set({ isVerified: true })
        .where(and(eq(users.email, email), eq(users.isVerified, false))).returning().prepare()
      return toRecord((await write(verify, {}))[0])
    },

    async insertUser ({ email, fields }) {
      const values = { ...missingId(users.id, fields), ...fields, email, isVerified: false }
      try {
        const [row] = await write(connection.insert(users).values(values).returning().prepare(), {})
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
