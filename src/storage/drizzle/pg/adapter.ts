import { and, eq } from 'drizzle-orm'
import { fileURLToPath } from 'node:url'
import type { OtpAuthStorage, UserRecord } from '../../storage.ts'
import { inTime } from '../../../core/in-time.ts'
import { checkedTimeout, refuseUnknownNames } from '../../adapter-options.ts'
import type { AnyTable, FilledColumn, UsersColumn } from '../users-table.ts'
import { users as defaultUsers } from './schema.ts'
import { hasEmail, prepareStatements, type Database } from './statements.ts'
import { driverError, macValues, missingId, parseId, usersTable } from '../shared.ts'

export { budgets, challenges, sessions, users } from './schema.ts'

/** A users table of the host's own: these three properties under any column names, and whatever else it likes. */
export interface UsersTable extends AnyTable {
  id: UsersColumn<'pg'>
  /** The normalised address: text, not null, **unique**. */
  email: FilledColumn<'pg', string>
  isVerified: FilledColumn<'pg', boolean>
}

export interface DrizzleStorageOptions {
  /** The host's own users table. @default the table `otp_users` of the shipped migrations */
  users?: UsersTable
  /**
   * Milliseconds that a statement may take, the wait for a free connection included, before the verb rejects.
   *
   * A statement that was given up may still run later, as one may whose connection breaks before the answer. That lets
   * nothing through: what it counts, revokes or verifies was due anyway, a code that it accepts is used up, and a session
   * that it stores or advances has tokens that nobody got (whose session was advanced without them may have to log in anew).
   *
   * @default 5000
   */
  timeout?: number
  /**
   * Whether the server keeps our statements prepared, by name, on each connection. Turn it off behind a pooler that
   * hands every transaction another connection and does not follow prepared statements: PgBouncer before 1.21, or without
   * `max_prepared_statements`.
   *
   * @default true
   */
  prepare?: boolean
}

/**
 * Where the shipped migrations are and where they are accounted for, apart from the host's own:
 * `migrate(db, migrations)` with the `migrate` of `drizzle-orm/node-postgres/migrator`, `/postgres-js/migrator` or
 * `/pglite/migrator`.
 */
export const migrations = Object.freeze({
  migrationsFolder: fileURLToPath(new URL('../../../../drizzle/pg', import.meta.url)),
  migrationsTable: '__otp_auth_migrations'
})

/** A Drizzle database on any PostgreSQL driver, or several of them under `withReplicas`. */
export interface PostgresDatabase {
  insert (table: never): unknown
  execute (query: never): unknown
  refreshMaterializedView (view: never): unknown
}

/**
 * Storage on PostgreSQL >= 9.5 through Drizzle and node-postgres, postgres.js or PGlite. Each verb is one statement on a
 * connection of its own, outside any transaction of the host's: a count rolled back with it would be a free guess. So the
 * database has to be on a **pool**; one on a single node-postgres `Client` is refused. Listen to the pool's `error` event:
 * without a listener a server that goes while a connection is idle ends the process.
 *
 * A PGlite handle is one connection. While the host has a transaction open on it, our statements wait for its end, and
 * reject after `timeout` if it is the transaction that waits for us.
 *
 * Parallel calls are held apart by row locks, at the isolation level `read committed`. Where the host made
 * another one the default of its database, some of them reject instead.
 *
 * @param db a Drizzle database; of one with replicas only the primary is asked
 * @throws TypeError that names the column which the host's users table lacks, or the option which does not exist
 * @throws RangeError for a `timeout` that is no number of milliseconds from 1 to 2147483647
 */
export function drizzleStorage (db: PostgresDatabase, options: DrizzleStorageOptions = {}): OtpAuthStorage {
  refuseUnknownNames(options, ['users', 'timeout', 'prepare'])
  const { prepare = true } = options
  const timeout = checkedTimeout(options.timeout ?? 5000)
  const connections = onPrimary(db)
  const users = usersTable(options.users, defaultUsers)
  const statements = prepareStatements(connections, users, prepare)

  const run = <Rows>(query: PromiseLike<Rows>): Promise<Rows> => inTime(query, timeout,
    `PostgreSQL gave no answer within ${timeout} ms: every connection may be in use, or this one be inside a transaction of the host`)

  return {
    async insertChallenge (challenge) {
      await run(statements.insertChallenge.execute({ ...challenge }))
    },

    async renewChallenge (renewal) {
      return (await run(statements.renewChallenge.execute({ ...renewal }))).length === 1
    },

    async withdrawCode (code) {
      await run(statements.withdrawCode.execute(code))
    },

    async tryCode ({ macs, ...guess }) {
      const [tried] = await run(statements.tryCode(macs.length).execute({ ...guess, ...macValues(macs) }))
      if (tried === undefined) return null
      return { accepted: tried.consumedAt !== null, attempts: tried.attempts, deviceKey: tried.deviceKey }
    },

    async consumeCode ({ macs, ...guess }) {
      const [consumed] = await run(statements.consumeCode(macs.length).execute({ ...guess, ...macValues(macs) }))
      return consumed ?? null
    },

    async findChallenge (id) {
      const [challenge] = await run(statements.findChallenge.execute({ id }))
      return challenge ?? null
    },

    async hasLiveChallenge (query) {
      return (await run(statements.hasLiveChallenge.execute(query))).length === 1
    },

    async takeBudget ({ key, now, cooldown, short, long }) {
      // The statement's insert, and a window that starts anew, count one without a look at the limit.
      if (short.limit < 1 || long.limit < 1) return false
      const taken = await run(statements.takeBudget.execute({
        key,
        now,
        // Without a cool-down a clock that stepped back must not refuse.
        lastBefore: cooldown === 0 ? Number.MAX_SAFE_INTEGER : now - cooldown,
        shortStart: now - short.length,
        shortLimit: short.limit,
        longStart: now - long.length,
        longLimit: long.limit,
        expiresAt: now + Math.max(cooldown, short.length, long.length)
      }))
      return taken.length === 1
    },

    async returnBudget (refund) {
      await run(statements.returnBudget.execute({ ...refund }))
    },

    async countFailure ({ key, now, window, lapse }) {
      const [counts] = await run(statements.countFailure.execute({
        key, now, windowStart: now - window, lapsedAt: now - lapse, expiresAt: now + Math.max(window, lapse)
      }))
      return counts!
    },

    async clearFailuresInARow (key) {
      await run(statements.clearFailuresInARow.execute({ key }))
    },

    async readBudget (key) {
      const [budget] = await run(statements.readBudget.execute({ key }))
      return budget ?? null
    },

    async findUser (email) {
      const [row] = await run(statements.findUser.execute({ email }))
      return toRecord(row)
    },

    async verifyUser (email) {
      // Built anew: the host's columns may have values of their own for each update, such as its time.
      const [row] = await run(connections.update(users).set({ isVerified: true })
        .where(and(hasEmail(users, email), eq(users.isVerified, false))).returning())
      return toRecord(row)
    },

    async insertUser ({ email, fields }) {
      const values = { ...missingId(users.id, fields), ...fields, email, isVerified: false }
      try {
        const [row] = await run(connections.insert(users).values(values).returning())
        return { user: toRecord(row)! }
      } catch (error) {
        if (/^2[23]$/.test(sqlStateClass(error))) return { refused: driverError(error) }
        throw error
      }
    },

    userId: (user) => String((user as { id: unknown }).id),

    async insertSession (session) {
      await run(statements.insertSession.execute({ ...session }))
    },

    async loadSession ({ sessionId, userId }) {
      const id = parseId(users.id, userId)
      if (id === undefined) return null
      try {
        const [found] = await run(statements.loadSession.execute({ id, sessionId }))
        return found?.session.userId === userId ? { session: found.session, user: toRecord(found.user)! } : null
      } catch (error) {
        // A value that the type of the column cannot have, such as no uuid in a uuid's place: no row has it.
        if (sqlStateClass(error) === '22') return null
        throw error
      }
    },

    async rotateSession (rotation) {
      return (await run(statements.rotateSession.execute({ ...rotation }))).length === 1
    },

    async revokeSession (revocation) {
      return (await run(statements.revokeSession.execute(revocation))).length === 1
    },

    async revokeUserSessions (revocation) {
      return (await run(statements.revokeUserSessions.execute(revocation))).length
    },

    async listSessions (query) {
      return run(statements.listSessions.execute(query))
    },

    async removeExpired ({ kind, before, limit }) {
      return (await run(statements.removeExpired[kind].execute({ before, limit }))).length
    },

    async hasMixedCaseEmails (limit) {
      return (await run(statements.hasMixedCaseEmails.execute({ limit }))).length === 1
    }
  }
}

/** The handle that knows every write. Drizzle's `withReplicas` would send our reads to a replica. */
function onPrimary (db: PostgresDatabase & { $primary?: PostgresDatabase, $client?: unknown }): Database {
  const primary: typeof db = db.$primary ?? db
  // What every node-postgres client has, a native or derived one too, and no pool.
  if ('connectionParameters' in Object(primary.$client)) {
    throw new TypeError('drizzleStorage needs a Drizzle database on a pg.Pool: on a single pg.Client its statements would join the transactions of the host')
  }
  return primary as unknown as Database
}

/** The first two characters of PostgreSQL's error code: 22 is a value out of its type, 23 a violated constraint. */
function sqlStateClass (error: unknown): string {
  return String(driverError(error).code).slice(0, 2)
}

function toRecord (row: { id: unknown, email: string, isVerified: boolean } | undefined): UserRecord | null {
  return row === undefined ? null : { id: String(row.id), email: row.email, isVerified: row.isVerified, row }
}
