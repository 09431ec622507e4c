import type { OtpAuthStorage } from '../../contract.ts'
import { checkedTimeout, refuseUnknownNames } from '../../adapter-options.ts'
import type { Database } from '../dialect.ts'
import { shippedMigrations } from '../migrations.ts'
import { createReturningVerbs } from '../returning.ts'
import { usersTable, type UsersTableOf } from '../users-table.ts'
import { counters, challenges, sessions, users as defaultUsers } from './schema.ts'
import { pgDialect } from './statements.ts'

export { counters, challenges, sessions, users } from './schema.ts'

/** A users table of your own. */
export type UsersTable = UsersTableOf<'pg'>

export interface DrizzleStorageOptions {
  /** Your own users table. @default the table `otp_users` of the shipped migrations */
  users?: UsersTable
  /**
   * The milliseconds that a statement may take before the call rejects. They include the wait for a free connection.
   *
   * A statement that was given up may still run later. So may a statement whose connection breaks before the response. Neither
   * lets anyone in: a count, a revocation or a verification was due anyway, an accepted code is used up, and the tokens of a
   * session that it stores or advances reach nobody. If it advances a session, the user may have to log in again.
   *
   * @default 5000
   */
  timeout?: number
  /**
   * Whether the server keeps our prepared statements, by name, on each connection. Turn it off behind a connection pooler that
   * gives each transaction another connection and does not support prepared statements. Such poolers are PgBouncer before 1.21,
   * and later ones without `max_prepared_statements`.
   *
   * @default true
   */
  prepare?: boolean
}

/**
 * The folder of the shipped migrations, and the table in which Drizzle records them, apart from your own.
 * Run `migrate(db, migrations)` with the `migrate` of `drizzle-orm/node-postgres/migrator`, `/postgres-js/migrator` or
 * `/pglite/migrator`.
 */
export const migrations = shippedMigrations('pg')

/** A Drizzle database on any PostgreSQL driver, or several of them under `withReplicas`. */
export interface PostgresDatabase {
  insert (table: never): unknown
  execute (query: never): unknown
  refreshMaterializedView (view: never): unknown
}

/**
 * Storage on PostgreSQL >= 9.5 through Drizzle and node-postgres, postgres.js or PGlite.
 *
 * Each call is one statement on a connection of its own, outside the transactions of your application. If a transaction took a
 * count back, an attacker could guess without a limit. So the database has to be on a **pool**: a single node-postgres `Client` is
 * refused. Listen to the pool's `error` event. Without a listener, the process ends if the server goes away while a connection is
 * idle.
 *
 * A PGlite handle is one connection. While your application has a transaction open on it, our statements wait for its end. If the
 * transaction itself waits for us, they reject after `timeout`.
 *
 * Row locks keep parallel calls apart, at the isolation level `read committed`. If your database has another default level, some
 * of these calls reject.
 *
 * @param db a Drizzle database. Of a database with replicas, only the primary is used
 * @throws TypeError that names the column which your users table lacks, or the unknown option
 * @throws RangeError if `timeout` is not a number of milliseconds from 1 to 2147483647
 */
export function drizzleStorage (db: PostgresDatabase, options: DrizzleStorageOptions = {}): OtpAuthStorage {
  refuseUnknownNames(options, ['users', 'timeout', 'prepare'])
  const { prepare = true } = options
  const timeout = checkedTimeout(options.timeout ?? 5000)
  const users = usersTable(options.users, defaultUsers)
  return createReturningVerbs(pgDialect(onPrimary(db), { challenges, counters, sessions, users }, { timeout, prepare }))
}

/** The handle of the primary. Drizzle's `withReplicas` would send our reads to a replica, which may not know of a logout yet. */
function onPrimary (db: PostgresDatabase & { $primary?: PostgresDatabase, $client?: unknown }): Database {
  const primary: typeof db = db.$primary ?? db
  // Every node-postgres client has this property, also a native or derived one. No pool has it.
  if ('connectionParameters' in Object(primary.$client)) {
    throw new TypeError('drizzleStorage needs a Drizzle database on a pg.Pool. On a single pg.Client its statements would join the transactions of the application')
  }
  return primary as unknown as Database
}
