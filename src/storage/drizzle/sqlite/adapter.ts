import type { OtpAuthStorage } from '../../contract.ts'
import { refuseUnknownNames } from '../../adapter-options.ts'
import type { Tables } from '../dialect.ts'
import { shippedMigrations } from '../migrations.ts'
import { createReturningVerbs } from '../returning.ts'
import { usersTable, type UsersTableOf } from '../users-table.ts'
import { counters, challenges, sessions, users as defaultUsers } from './schema.ts'
import { sqliteDialect, type Connection } from './statements.ts'

export { counters, challenges, sessions, users } from './schema.ts'

/** A users table of your own. */
export type UsersTable = UsersTableOf<'sqlite'>

export interface DrizzleStorageOptions {
  /** Your own users table. @default the table `otp_users` of the shipped migrations */
  users?: UsersTable
}

/**
 * The folder of the shipped migrations, and the table in which Drizzle records them, apart from your own.
 * Run `migrate(db, migrations)` with the `migrate` of `drizzle-orm/better-sqlite3/migrator` or `drizzle-orm/libsql/migrator`.
 */
export const migrations = shippedMigrations('sqlite')

/** A Drizzle database on SQLite, with any schema: a `sync` one on better-sqlite3, or an `async` one on libsql. */
export interface SQLiteDatabase {
  insert (table: never): unknown
  all (query: never): unknown
  values (query: never): unknown
}

/**
 * Storage on SQLite >= 3.35 through Drizzle, on better-sqlite3 or libsql. Each call is one statement. SQLite has one writer at a
 * time, so a statement is atomic across processes, too.
 *
 * Open a file with `PRAGMA journal_mode = WAL`, and let each connection wait for its turn:
 * - better-sqlite3 has the option `timeout` for this. Its default is 5000 ms.
 * - libsql (`@libsql/client` >= 0.18) has it, too: `createClient({ url: 'file:…', timeout: 5000 })`. Without it, a write that meets
 *   another write fails with `SQLITE_BUSY`. `PRAGMA busy_timeout` does not replace it, because it reaches only one connection of
 *   the client's pool.
 *
 * Give this storage a libsql **file client of its own**. After a statement of your application fails with `SQLITE_BUSY`, its
 * connection keeps reading an old state of the file, in which a recent logout is missing. After one of our statements fails so, we
 * reconnect the client, which ends everything else that is running on it.
 *
 * Both drivers block the whole process while they wait. So a write transaction that your application holds open across an `await`,
 * on another connection to the file, blocks the process for the full timeout, and then our write rejects. Keep such transactions
 * short and synchronous, or use a libsql server.
 *
 * A better-sqlite3 handle is one connection. While your application has a transaction open on it, a rollback would also undo our
 * writes, and a lost count would allow an extra attempt. So every write rejects during that time, and the response is a 503. A libsql
 * client keeps its transactions apart.
 *
 * If the database has replicas (Drizzle's `withReplicas`), only the primary is used. A libsql embedded replica (`syncUrl`) always
 * reads from its own copy, which may not know of a logout elsewhere yet. So use a client of the server itself.
 *
 * @param db a Drizzle database on better-sqlite3 or libsql
 * @throws TypeError that names the column which your users table lacks, or the unknown option
 */
export function drizzleStorage (db: SQLiteDatabase, options: DrizzleStorageOptions = {}): OtpAuthStorage {
  refuseUnknownNames(options, ['users'])
  const connection = ('$primary' in db ? db.$primary : db) as unknown as Connection
  const users = usersTable(options.users, defaultUsers)
  return createReturningVerbs(sqliteDialect(connection, { challenges, counters, sessions, users } as unknown as Tables))
}
