import type { MySqlRawQueryResult } from 'drizzle-orm/mysql2'
import { fileURLToPath } from 'node:url'
import type { OtpAuthStorage, UserRecord } from '../../storage.ts'
import { checkedTimeout, refuseUnknownNames } from '../../adapter-options.ts'
import type { AnyTable, FilledColumn, UsersColumn } from '../users-table.ts'
import { statementRunner, type Database, type ServerError } from './connection.ts'
import { users as defaultUsers } from './schema.ts'
import { IN_A_ROW_SPAN, prepareStatements } from './statements.ts'
import { driverError, macValues, missingId, parseId, usersTable } from '../shared.ts'

export { budgets, challenges, sessions, users } from './schema.ts'

/** A users table of the host's own: these three properties under any column names, and whatever else it likes. */
export interface UsersTable extends AnyTable {
  id: UsersColumn<'mysql'>
  /** The normalised address: text, not null, **unique**. It is compared byte by byte, whatever its collation. */
  email: FilledColumn<'mysql', string>
  isVerified: FilledColumn<'mysql', boolean>
}

export interface DrizzleStorageOptions {
  /** The host's own users table. @default the table `otp_users` of the shipped migrations */
  users?: UsersTable
  /** Milliseconds that a statement may take, the wait for a free connection included. @default 5000 */
  timeout?: number
}

/**
 * Where the shipped migrations are and where they are accounted for, apart from the host's own:
 * `migrate(db, migrations)` with the `migrate` of `drizzle-orm/mysql2/migrator`.
 */
export const migrations = Object.freeze({
  migrationsFolder: fileURLToPath(new URL('../../../../drizzle/mysql', import.meta.url)),
  migrationsTable: '__otp_auth_migrations'
})

/** A Drizzle database on mysql2, or several of them under `withReplicas`. */
export interface MySqlDatabase {
  insert (table: never): unknown
  execute (query: never): Promise<MySqlRawQueryResult>
}

const DUPLICATE = 1062

/** What the server says of a row that its columns and constraints do not take, where the SQLSTATE does not tell. */
const REFUSALS = new Set<unknown>([
  1265, // no value of an enum
  1364, // a column without a default
  1366, // no value of the column's type
  3819 // a check, on MySQL
])

/**
 * Storage on MySQL 8 or MariaDB >= 10.6 (InnoDB) through Drizzle and mysql2. There is no `RETURNING` on updates: a verb
 * takes effect in one conditional update, and what it has to tell comes back as the count of matched rows and, through
 * `last_insert_id(…)`, as one number.
 *
 * Give it a pool: each statement then commits on its own, whatever the host's transactions do. On a single connection
 * every verb rejects while a transaction is open on it, which is answered 503.
 *
 * @param db a Drizzle database on mysql2; of one with replicas the primary alone is used
 * @throws TypeError that names the column which the host's users table lacks, or the option which does not exist
 * @throws RangeError for a `timeout` that is no number of milliseconds from 1 to 2147483647
 */
export function drizzleStorage (db: MySqlDatabase, options: DrizzleStorageOptions = {}): OtpAuthStorage {
  refuseUnknownNames(options, ['users', 'timeout'])
  const primary = ((db as { $primary?: MySqlDatabase }).$primary ?? db) as Database
  const users = usersTable(options.users, defaultUsers)
  const statements = prepareStatements(primary, users)
  const { read, write } = statementRunner(primary, checkedTimeout(options.timeout ?? 5000))

  async function findUser (email: string): Promise<UserRecord | null> {
    const [row] = await read(() => statements.findUser().execute({ email }))
    return row === undefined ? null : toRecord(row)
  }

  /** Of parallel inserts of one key one is the first. A plain one, for others must not touch the row. */
  async function isFirst (insert: () => Promise<MySqlRawQueryResult>): Promise<boolean> {
    try {
      await write(insert)
      return true
    } catch (error) {
      if ((driverError(error) as ServerError).errno === DUPLICATE) return false
      throw error
    }
  }

  return {
    async insertChallenge (challenge) {
      await write(() => statements.insertChallenge().execute({ ...challenge }))
    },

    async renewChallenge (renewal) {
      return (await write(() => statements.renewChallenge().execute({ ...renewal }))).matched === 1
    },

    async withdrawCode (code) {
      await write(() => statements.withdrawCode(code))
    },

    // The device is read first and made part of the condition. Read afterwards it could be that of a renewal in between,
    // and a guesser could have his failures charged to nobody's device. A renewal in between shows as a device that
    // changed, and the try is taken anew.
    async tryCode ({ macs, ...guess }) {
      const findDevice = async () => (await read(() => statements.findDevice().execute(guess)))[0]
      let device = await findDevice()
      while (device !== undefined) {
        const { deviceKey } = device
        const { matched, answer } = await write(() =>
          statements.tryCode(macs.length).execute({ ...guess, ...macValues(macs), deviceKey }))
        if (matched === 1) return { accepted: answer % 2 === 1, attempts: Math.floor(answer / 2), deviceKey }
        device = await findDevice()
        if (device?.deviceKey === deviceKey) return null
      }
      return null
    },

    // What is read first are candidates only: the update by their ids has the whole condition again. Should the subject have
    // two challenges with one code, both are consumed, so that the code has one winner.
    async consumeCode ({ macs, ...guess }) {
      const values = { ...guess, ...macValues(macs) }
      const candidates = await read(() => statements.findConsumable(macs.length).execute(values))
      const [first] = candidates
      if (first === undefined) return null
      const { matched } = await write(() =>
        statements.consumeCode(candidates.map(({ id }) => id), macs.length).execute(values))
      return matched === 0 ? null : { deviceKey: first.deviceKey }
    },

    async findChallenge (id) {
      return (await read(() => statements.findChallenge().execute({ id })))[0] ?? null
    },

    async hasLiveChallenge (query) {
      return (await read(() => statements.hasLiveChallenge().execute(query))).length === 1
    },

    // Each of the statements takes the whole or nothing; the last one is for a row that came up since the first.
    async takeBudget ({ key, now, cooldown, short, long }) {
      // The insert, and a window that starts anew, count one without a look at the limit.
      if (short.limit < 1 || long.limit < 1) return false
      const values = {
        key,
        now,
        // Without a cool-down a clock that stepped back must not refuse.
        lastBefore: cooldown === 0 ? Number.MAX_SAFE_INTEGER : now - cooldown,
        shortStart: now - short.length,
        shortLimit: short.limit,
        longStart: now - long.length,
        longLimit: long.limit,
        expiresAt: now + Math.max(cooldown, short.length, long.length)
      }
      const take = async () => (await write(() => statements.takeBudget().execute(values))).matched === 1
      return await take() || await isFirst(() => statements.startBudget().execute(values)) || await take()
    },

    async returnBudget ({ key, takenAt, cooldown, counts }) {
      await write(() => statements.returnBudget().execute({ key, takenAt, cooldown: Number(cooldown), counts: Number(counts) }))
    },

    async countFailure ({ key, now, window, lapse }) {
      const values = { key, now, windowStart: now - window, lapsedAt: now - lapse, expiresAt: now + Math.max(window, lapse) }
      for (;;) {
        const { matched, answer } = await write(() => statements.countFailure().execute(values))
        if (matched === 1) return { inWindow: Math.floor(answer / IN_A_ROW_SPAN), inARow: answer % IN_A_ROW_SPAN }
        if (await isFirst(() => statements.startFailures().execute(values))) return { inWindow: 1, inARow: 1 }
      }
    },

    async clearFailuresInARow (key) {
      await write(() => statements.clearFailuresInARow().execute({ key }))
    },

    async readBudget (key) {
      return (await read(() => statements.readBudget().execute({ key })))[0] ?? null
    },

    findUser,

    async verifyUser (email) {
      const { matched } = await write(() => statements.verifyUser().execute({ email }))
      return matched === 1 ? await findUser(email) : null
    },

    async insertUser ({ email, fields }) {
      const values = { ...missingId(users.id, fields), ...fields, email, isVerified: false }
      try {
        await write(() => primary.insert(users).values(values).execute())
      } catch (error) {
        const cause = driverError(error) as ServerError
        // Classes 22 and 23 are values and constraints, 45 is what a trigger of the host's signals.
        if (/^(22|23|45)/.test(cause.sqlState ?? '') || REFUSALS.has(cause.errno)) return { refused: cause }
        throw error
      }
      const user = await findUser(email)
      // A trigger, or a column that is too short on a server that is not strict: this address may not be let in.
      if (user === null) throw new Error('the database stored the new user under another address')
      return { user }
    },

    userId: (user) => String((user as { id: unknown }).id),

    async insertSession (session) {
      await write(() => statements.insertSession().execute({ ...session }))
    },

    async loadSession ({ sessionId, userId }) {
      const id = parseId(users.id, userId)
      if (id === undefined) return null
      const [found] = await read(() => statements.loadSession().execute({ sessionId, userId, id }))
      return found === undefined ? null : { session: found.session, user: toRecord(found.user) }
    },

    async rotateSession (rotation) {
      return (await write(() => statements.rotateSession().execute({ ...rotation }))).matched === 1
    },

    async revokeSession (revocation) {
      return (await write(() => statements.revokeSession().execute(revocation))).matched === 1
    },

    async revokeUserSessions (revocation) {
      return (await write(() => statements.revokeUserSessions().execute(revocation))).matched
    },

    async listSessions (query) {
      return await read(() => statements.listSessions().execute(query))
    },

    async removeExpired ({ kind, before, limit }) {
      return (await write(() => statements.removeExpired[kind]().execute({ before, limit }))).matched
    },

    // In the process, for the databases disagree about regular expressions on bytes. The first rows only: this runs at
    // every boot and must not scan a large table.
    async hasMixedCaseEmails (limit) {
      return (await read(() => statements.firstEmails().execute({ limit }))).some(({ email }) => /[A-Z]/.test(email))
    }
  }
}

function toRecord (row: { id: unknown, email: string, isVerified: boolean }): UserRecord {
  return { id: String(row.id), email: row.email, isVerified: row.isVerified, row }
}
