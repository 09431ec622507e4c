import { createHash } from 'node:crypto'
import { and, asc, eq, lt, sql } from 'drizzle-orm'
import { withTimeout } from '../../../core/with-timeout.ts'
import type { Database, Query, ReturningDialect, Tables, Write } from '../dialect.ts'
import { driverError } from '../driver-error.ts'
import { prepareOnce } from '../prepared.ts'

type Prepared<Row> = { execute (values: object): Promise<Row[]> }

/** Drizzle's query builders are also promises of their own result. */
interface Builder<Row> extends PromiseLike<Row[]> {
  toSQL (): { sql: string }
  prepare (name: string | undefined): Prepared<Row>
}

/** The dialect of PostgreSQL, on all its drivers. */
export function pgDialect (db: Database, tables: Tables, options: { timeout: number, prepare: boolean }): ReturningDialect {
  const { timeout } = options
  const { email } = tables.users
  const late = `PostgreSQL did not respond within ${timeout} ms. Either all connections are in use, or this one is inside a transaction of your application`
  const bounded = <Rows>(rows: PromiseLike<Rows>): Promise<Rows> => withTimeout(rows, timeout, late)

  /**
   * node-postgres keeps a prepared statement by its name on each connection, and refuses one name for two texts. So the name is
   * made from the text: storages on the same pool share a statement only if it is the same. Without a name, the server keeps
   * nothing.
   */
  function prepare<Row> (query: Query<Row>): Prepared<Row> {
    const builder = query as unknown as Builder<Row>
    const digest = createHash('sha256').update(builder.toSQL().sql).digest('hex')
    return builder.prepare(options.prepare ? `otp_auth_${digest.slice(0, 32)}` : undefined)
  }

  const run = <Row>(statement: Prepared<Row>, values: object): Promise<Row[]> => bounded(statement.execute(values))

  /** Not prepared by name, because the application's columns may give each call another text. */
  const runOnce = <Row>(query: Write<Row>): Promise<Row[]> => bounded(query.returning() as unknown as Builder<Row>)

  const dialect: ReturningDialect = {
    db,
    tables,
    readFirst: (build) => prepareOnce(() => prepare(build()), (statement, values) => run(statement, values).then((rows) => rows[0])),
    readAll: (build) => prepareOnce(() => prepare(build()), run),
    writeRows: (build) => prepareOnce(() => prepare(build()), run),
    write: (build) => prepareOnce(() => prepare(build().returning({ changed: sql`1` })),
      (statement, values) => run(statement, values).then((rows) => rows.length)),
    execute: (build) => prepareOnce(() => prepare(build() as unknown as Query<unknown>), run),
    updateUser: async (query) => (await runOnce(query))[0],
    insertUser: async (query) => (await runOnce(query))[0]!,

    isRefusal: (error) => ['22', '23'].includes(sqlStateClass(error)),

    // The application's column may be `citext` or have a nondeterministic collation. The first comparison is for its index.
    emailIs: (address) => and(eq(email, address as string), sql`${email}::text collate "C" = ${address}`)!,

    // `skip locked` leaves rows that are in use for the next cleanup. So two cleanups never wait for each other, and a row that is
    // just being renewed stays. `any (array (...))` chooses and locks the rows once, while `in (...)` may choose again for each row.
    // In the order of the index. Otherwise the planner may read the whole table if most rows have expired.
    removeExpired (table, id, expiry) {
      const expired = db.select({ id }).from(table).where(lt(expiry, sql.placeholder('before'))).orderBy(asc(expiry))
        .limit(sql.placeholder('limit')).for('update', { skipLocked: true })
      return dialect.write(() => db.delete(table).where(sql`${id} = any(array${expired})`))
    }
  }
  return dialect
}

/** The first two characters of PostgreSQL's error code: 22 is a value that a type cannot hold, 23 a violated constraint. */
function sqlStateClass (error: unknown): string {
  return String(driverError(error).code).slice(0, 2)
}
