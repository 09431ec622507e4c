import { and, asc, eq, inArray, lt, sql, type SQL } from 'drizzle-orm'
import type { MySqlRawQueryResult } from 'drizzle-orm/mysql2'
import type { MySqlTable } from 'drizzle-orm/mysql-core'
import { createAssignments } from '../assignments.ts'
import { createConditions } from '../conditions.ts'
import type { Database, Dialect, Statement, Tables, Write } from '../dialect.ts'
import { lazy, preparedByCount } from '../prepared.ts'
import { statementRunner, type Connection, type WriteResult } from './connection.ts'

/** The two counts of a failure come back as one number: the count in the window times this, plus the count in a row. */
export const IN_A_ROW_SPAN = 2 ** 20

export interface MySqlDialect extends Dialect {
  /** A statement that writes. It resolves to all that the server reports about the write. */
  writeResult (build: () => Write): Statement<WriteResult>
  /** Runs a write that is written as text. */
  execute (query: SQL): Promise<WriteResult>
}

function prepare<Result> (query: object) {
  return (query as { prepare (): { execute (values: object): Promise<Result> } }).prepare()
}

/** How MySQL and MariaDB prepare and run statements, and what they do in their own way. */
export function mysqlDialect (connection: Connection, tables: Tables, timeout: number): MySqlDialect {
  const { read, write } = statementRunner(connection, timeout)
  const { email } = tables.users

  const dialect: MySqlDialect = {
    db: connection as unknown as Database,
    tables,

    readAll<Row> (build: () => object): Statement<Row[]> {
      const statement = lazy(() => prepare<Row[]>(build()))
      return async (values) => read(() => statement().execute(values))
    },

    readFirst<Row> (build: () => object): Statement<Row | undefined> {
      const statement = lazy(() => prepare<Row[]>(build()))
      return async (values) => (await read(() => statement().execute(values)))[0]
    },

    writeResult (build) {
      const statement = lazy(() => prepare<MySqlRawQueryResult>(build()))
      return async (values) => write(() => statement().execute(values))
    },

    write (build) {
      const statement = lazy(() => prepare<MySqlRawQueryResult>(build()))
      return async (values) => (await write(() => statement().execute(values))).matched
    },

    execute: (query) => write(() => connection.execute(query)),

    // The application's column may have any collation. The first comparison finds the row by its index.
    emailIs: (address) => and(eq(email, address as string), sql`cast(${email} as binary) = cast(${address} as binary)`)!,

    // In the order of the index, so that only the rows to delete are locked.
    removeExpired: (table, _id, expiry) => dialect.write(() => connection.delete(table as unknown as MySqlTable)
      .where(lt(expiry, sql.placeholder('before'))).orderBy(asc(expiry)).limit(sql.placeholder('limit')) as unknown as Write)
  }
  return dialect
}

/** The statements that differ because MySQL and MariaDB have no `returning` on updates. */
export function createMySqlStatements ({ db, tables, readFirst, readAll, write, writeResult, execute }: MySqlDialect) {
  const { challenges, budgets } = tables
  const { firstIncrement, increment, firstFailure, failure } = createAssignments(tables)
  const { acceptsBoundAttempt, canBeConsumed, codeFits, isWithinLimits } = createConditions(tables)
  const value = sql.placeholder

  return {
    // Written as text, because the older code moves to the columns of the newer one, against the order of the table's columns.
    withdrawCode: ({ id, mac, now }: { id: string, mac: string, now: number }) => execute(sql`update ${challenges} set
      code_length = if(code_mac = ${mac}, coalesce(previous_length, code_length), code_length),
      expires_at = if(code_mac = ${mac}, coalesce(previous_expires_at, ${now}), expires_at),
      code_mac = if(code_mac = ${mac}, coalesce(previous_mac, ''), code_mac),
      previous_mac = null, previous_length = null, previous_expires_at = null
      where id = ${id} and (code_mac = ${mac} or previous_mac = ${mac})`),

    findDevice: readFirst(() => db.select({ deviceKey: challenges.deviceKey }).from(challenges)
      .where(and(eq(challenges.id, value('id')), eq(challenges.subject, value('subject')))).$withCache(false)),

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

    takeBudget: write(() => db.update(budgets).set(increment).where(and(eq(budgets.key, value('key')), isWithinLimits))),

    startBudget: write(() => db.insert(budgets).values(firstIncrement)),

    // It reports both counts, see IN_A_ROW_SPAN.
    countFailure: writeResult(() => db.update(budgets).set({
      ...failure,
      inARow: sql`last_insert_id((${failure.longCount}) * ${IN_A_ROW_SPAN} + least(${failure.inARow}, ${IN_A_ROW_SPAN - 1})) mod ${IN_A_ROW_SPAN}`
    }).where(eq(budgets.key, value('key')))),

    startFailures: write(() => db.insert(budgets).values(firstFailure))
  }
}
