import { and, asc, eq, inArray, lt, sql, type SQL } from 'drizzle-orm'
import type { MySqlRawQueryResult } from 'drizzle-orm/mysql2'
import type { MySqlTable } from 'drizzle-orm/mysql-core'
import { createAssignments } from '../assignments.ts'
import { createConditions } from '../conditions.ts'
import type { Database, Dialect, Query, Statement, Tables, Write } from '../dialect.ts'
import { driverError } from '../driver-error.ts'
import { preparedByCount, prepareOnce } from '../prepared.ts'
import { statementRunner, type Connection, type ServerError, type WriteResult } from './connection.ts'

/** The two counts of a failure come back as one number: the count in the window times this, plus the number of consecutive failures. */
export const CONSECUTIVE_SPAN = 2 ** 20

/** The server's codes for a row that its columns and constraints do not accept, if the SQLSTATE does not show it. */
const REFUSALS = new Set<unknown>([
  1265, // not a value of the enum
  1364, // a column without a default
  1366, // not a value of the column's type
  3819 // a check, on MySQL
])

export interface MySqlDialect extends Dialect {
  /** A statement that writes. It resolves to all that the server reports about the write. */
  writeResult (build: () => Write<unknown>): Statement<WriteResult>
  /** Runs a write that is written as text. */
  executeText (query: SQL): Promise<WriteResult>
}

type Prepared<Result> = { execute (values: object): Promise<Result> }
const prepare = <Row>(query: Query<Row>) => (query as unknown as { prepare (): Prepared<Row[]> }).prepare()
const prepareWrite = (query: Write<unknown>) => (query as unknown as { prepare (): Prepared<MySqlRawQueryResult> }).prepare()

/** The dialect of MySQL and MariaDB. */
export function mysqlDialect (connection: Connection, tables: Tables, timeout: number): MySqlDialect {
  const db = connection as unknown as Database
  const { users } = tables
  const { read, write } = statementRunner(connection, timeout)
  const runRead = <Row>(statement: Prepared<Row[]>, values: object) => read(() => statement.execute(values))
  const runWrite = (statement: Prepared<MySqlRawQueryResult>, values: object) => write(() => statement.execute(values))

  const findUser = async (email: string) =>
    (await runRead(prepare(db.select().from(users).where(dialect.emailIs(email)).$withCache(false)), {}))[0]

  const dialect: MySqlDialect = {
    db,
    tables,
    readFirst: (build) => prepareOnce(() => prepare(build()), (statement, values) => runRead(statement, values).then((rows) => rows[0])),
    readAll: (build) => prepareOnce(() => prepare(build()), runRead),
    writeResult: (build) => prepareOnce(() => prepareWrite(build()), runWrite),
    write: (build) => prepareOnce(() => prepareWrite(build()),
      (statement, values) => runWrite(statement, values).then((result) => result.matched)),
    execute: (build) => prepareOnce(() => prepareWrite(build()), runWrite),
    executeText: (query) => write(() => connection.execute(query)),

    async updateUser<Row> (query: Write<Row>, email: string) {
      const { matched } = await runWrite(prepareWrite(query), {})
      return matched === 0 ? undefined : await findUser(email) as Row | undefined
    },

    async insertUser<Row> (query: Write<Row>, email: string) {
      await runWrite(prepareWrite(query), {})
      const row = await findUser(email)
      // A trigger changed the address, or a server that is not strict cut it to the length of its column.
      if (row === undefined) throw new Error('The database stored the new user under another address, so nobody can log in with this one')
      return row as Row
    },

    // The classes 22 and 23 are values and constraints. Class 45 is a signal of a trigger.
    isRefusal (error) {
      const { sqlState = '', errno } = driverError(error) as ServerError
      return /^(22|23|45)/.test(sqlState) || REFUSALS.has(errno)
    },

    // The application's column may have any collation. The first comparison finds the row by its index.
    emailIs: (email) => and(eq(users.email, email), sql`cast(${users.email} as binary) = cast(${email} as binary)`)!,

    // In the order of the index, so that only the rows to delete are locked.
    removeExpired: (table, _id, expiry) => dialect.write(() => connection.delete(table as unknown as MySqlTable)
      .where(lt(expiry, sql.placeholder('before'))).orderBy(asc(expiry)).limit(sql.placeholder('limit')) as unknown as Write<unknown>)
  }
  return dialect
}

/** The statements that differ because MySQL and MariaDB have no `returning` on updates. */
export function createMySqlStatements ({ db, tables, readFirst, readAll, write, writeResult, executeText }: MySqlDialect) {
  const { challenges, counters } = tables
  const { firstIncrement, increment, firstFailure, failure } = createAssignments(tables)
  const { acceptsBoundAttempt, canBeConsumed, codeFits, isWithinLimits } = createConditions(tables)
  const value = sql.placeholder

  return {
    // Written as text, because the older code moves to the columns of the newer one, against the order of the table's columns.
    withdrawCode: ({ id, mac, now }: { id: string, mac: string, now: number }) => executeText(sql`update ${challenges} set
      code_length = if(code_mac = ${mac}, coalesce(previous_length, code_length), code_length),
      expires_at = if(code_mac = ${mac}, coalesce(previous_expires_at, ${now}), expires_at),
      code_mac = if(code_mac = ${mac}, coalesce(previous_mac, ''), code_mac),
      previous_mac = null, previous_length = null, previous_expires_at = null
      where id = ${id} and (code_mac = ${mac} or previous_mac = ${mac})`),

    findDevice: readFirst(() => db.select({ deviceKey: challenges.deviceKey }).from(challenges)
      .where(and(eq(challenges.id, value('id')), eq(challenges.emailHash, value('emailHash')))).$withCache(false)),

    // It reports twice the number of attempts, plus one if the code fits.
    tryCode: preparedByCount((macCount) => writeResult(() => db.update(challenges).set({
      attempts: sql`last_insert_id((${challenges.attempts} + 1) * 2 + if(${codeFits(macCount)}, 1, 0)) div 2`,
      consumedAt: sql`if(${codeFits(macCount)}, ${value('now')}, null)`
    }).where(and(acceptsBoundAttempt, sql`${challenges.deviceKey} <=> ${value('deviceKey')}`)))),

    findConsumable: preparedByCount((macCount) => readAll(() => db.select({ id: challenges.id, deviceKey: challenges.deviceKey })
      .from(challenges).where(canBeConsumed(macCount)).$withCache(false))),

    // By primary key. A condition on the address alone would lock its index, and gaps in it into which other calls insert.
    consumeCode: (ids: string[], macCount: number) => write(() => db.update(challenges).set({ consumedAt: sql`${value('now')}` })
      .where(and(inArray(challenges.id, ids), canBeConsumed(macCount)))),

    incrementCounter: write(() => db.update(counters).set(increment).where(and(eq(counters.key, value('key')), isWithinLimits))),
    startCounter: write(() => db.insert(counters).values(firstIncrement)),

    // It reports both counts, see CONSECUTIVE_SPAN.
    countFailure: writeResult(() => db.update(counters).set({
      ...failure,
      consecutiveFailures: sql`last_insert_id((${failure.longCount}) * ${CONSECUTIVE_SPAN} + least(${failure.consecutiveFailures}, ${CONSECUTIVE_SPAN - 1})) mod ${CONSECUTIVE_SPAN}`
    }).where(eq(counters.key, value('key')))),
    startFailures: write(() => db.insert(counters).values(firstFailure))
  }
}
