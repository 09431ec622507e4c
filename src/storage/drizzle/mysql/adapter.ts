import type { MySqlRawQueryResult } from 'drizzle-orm/mysql2'
import type { OtpAuthStorage } from '../../contract.ts'
import { checkedTimeout, refuseUnknownNames } from '../../adapter-options.ts'
import type { Statement, Tables } from '../dialect.ts'
import { driverError } from '../driver-error.ts'
import { shippedMigrations } from '../migrations.ts'
import { usersTable, type UsersTableOf } from '../users-table.ts'
import { admitsNone, attemptValues, failureValues, incrementValues } from '../values.ts'
import { createVerbs } from '../verbs.ts'
import type { Connection, ServerError } from './connection.ts'
import { counters, challenges, sessions, users as defaultUsers } from './schema.ts'
import { createMySqlStatements, CONSECUTIVE_SPAN, mysqlDialect } from './statements.ts'

export { counters, challenges, sessions, users } from './schema.ts'

/** A users table of your own. */
export type UsersTable = UsersTableOf<'mysql'>

export interface DrizzleStorageOptions {
  /** Your own users table. @default the table `otp_users` of the shipped migrations */
  users?: UsersTable
  /** The milliseconds that a statement may take before the call rejects. They include the wait for a free connection. @default 5000 */
  timeout?: number
}

/**
 * The folder of the shipped migrations, and the table in which Drizzle records them, apart from your own.
 * Run `migrate(db, migrations)` with the `migrate` of `drizzle-orm/mysql2/migrator`.
 */
export const migrations = shippedMigrations('mysql')

/** A Drizzle database on mysql2, or several of them under `withReplicas`. */
export interface MySqlDatabase {
  insert (table: never): unknown
  execute (query: never): Promise<MySqlRawQueryResult>
}

const DUPLICATE = 1062

/**
 * Storage on MySQL 8 or MariaDB >= 10.6 (InnoDB) through Drizzle and mysql2. These databases have no `returning` on updates. So a
 * call takes effect in one conditional update, and its result comes back as the number of matched rows and as one number through
 * `last_insert_id(…)`.
 *
 * Give it a pool. Each statement then commits on its own, outside the transactions of your application. On a single connection, every
 * call rejects while a transaction is open on it, and the response is a 503.
 *
 * @param db a Drizzle database on mysql2. Of a database with replicas, only the primary is used
 * @throws TypeError that names the column which your users table lacks, or the unknown option
 * @throws RangeError if `timeout` is not a number of milliseconds from 1 to 2147483647
 */
export function drizzleStorage (db: MySqlDatabase, options: DrizzleStorageOptions = {}): OtpAuthStorage {
  refuseUnknownNames(options, ['users', 'timeout'])
  const connection = ((db as { $primary?: MySqlDatabase }).$primary ?? db) as Connection
  const users = usersTable(options.users, defaultUsers)
  const tables = { challenges, counters, sessions, users } as unknown as Tables
  const dialect = mysqlDialect(connection, tables, checkedTimeout(options.timeout ?? 5000))
  const statements = createMySqlStatements(dialect)
  const verbs = createVerbs(dialect)

  /** Of parallel inserts of one key, one is the first. It is a plain insert, because the others must not change the row. */
  async function isFirst (insert: Statement<number>, values: object): Promise<boolean> {
    try {
      await insert(values)
      return true
    } catch (error) {
      if ((driverError(error) as ServerError).errno === DUPLICATE) return false
      throw error
    }
  }

  return {
    ...verbs,

    withdrawCode: async (code) => { await statements.withdrawCode(code) },

    // The device key is read first and is part of the update's condition. If it were read afterwards, a renewal in between could
    // change it, and an attacker's failures would count for no device. If a renewal changes it now, the attempt runs again.
    async tryCode (attempt) {
      const values = attemptValues(attempt)
      let device = await statements.findDevice(values)
      while (device !== undefined) {
        const { deviceKey } = device
        const { matched, reported } = await statements.tryCode(attempt.macs.length)({ ...values, deviceKey })
        if (matched === 1) return { accepted: reported % 2 === 1, attempts: Math.floor(reported / 2), deviceKey }
        device = await statements.findDevice(values)
        if (device?.deviceKey === deviceKey) return null
      }
      return null
    },

    // The read finds candidates only, so the update by their IDs checks the whole condition again. If two challenges of the address
    // have the same code, both are consumed, so that only one call can use it.
    async consumeCode (attempt) {
      const values = attemptValues(attempt)
      const candidates = await statements.findConsumable(attempt.macs.length)(values)
      const [first] = candidates
      if (first === undefined) return null
      const consumed = await statements.consumeCode(candidates.map(({ id }) => id), attempt.macs.length)(values)
      return consumed === 0 ? null : { deviceKey: first.deviceKey }
    },

    // Each statement counts in both windows or in none. The last one is for a row that was inserted since the first.
    async incrementCounter (increment) {
      if (admitsNone(increment)) return false
      const values = incrementValues(increment)
      const incrementRow = async () => await statements.incrementCounter(values) === 1
      return await incrementRow() || await isFirst(statements.startCounter, values) || await incrementRow()
    },

    async countFailure (failure) {
      const values = failureValues(failure)
      for (;;) {
        const { matched, reported } = await statements.countFailure(values)
        if (matched === 1) return { inWindow: Math.floor(reported / CONSECUTIVE_SPAN), consecutive: reported % CONSECUTIVE_SPAN }
        if (await isFirst(statements.startFailures, values)) return { inWindow: 1, consecutive: 1 }
      }
    }
  }
}
