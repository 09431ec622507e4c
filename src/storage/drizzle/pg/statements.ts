import { createHash } from 'node:crypto'
import { and, asc, eq, lt, sql } from 'drizzle-orm'
import { inTime } from '../../../core/in-time.ts'
import type { Database, Query, ReturningDialect, Tables } from '../dialect.ts'
import { driverError } from '../driver-error.ts'
import { lazy } from '../prepared.ts'

/** What preparing needs from Drizzle's query builders, which are also promises of their own result. */
interface Builder<Row> extends PromiseLike<Row[]> {
  toSQL (): { sql: string }
  prepare (name: string | undefined): { execute (values: Record<string, unknown>): Promise<Row[]> }
}

/** How PostgreSQL prepares and runs statements, and what it does in its own way. */
export function pgDialect (db: Database, tables: Tables, { timeout, prepare }: { timeout: number, prepare: boolean }): ReturningDialect {
  const { email } = tables.users
  const late = `PostgreSQL gave no answer within ${timeout} ms. Either all connections are in use, or this one is inside a transaction of the host`
  const bounded = <Rows>(rows: PromiseLike<Rows>): Promise<Rows> => inTime(rows, timeout, late)

  /**
   * node-postgres keeps a prepared statement by its name on each connection, and refuses one name for two texts. So the name is
   * made from the text, and storages on the same pool share a statement only if it is the same. Without a name, the server keeps
   * nothing.
   */
  function prepared<Row> (query: Query<Row>) {
    const builder = query as unknown as Builder<Row>
    const digest = createHash('sha256').update(builder.toSQL().sql).digest('hex')
    return builder.prepare(prepare ? `otp_auth_${digest.slice(0, 32)}` : undefined)
  }

  const dialect: ReturningDialect = {
    db,
    tables,

    readFirst (build) {
      const statement = lazy(() => prepared(build()))
      return async (values) => (await bounded(statement().execute(values as Record<string, unknown>)))[0]
    },

    readAll (build) {
      const statement = lazy(() => prepared(build()))
      return async (values) => bounded(statement().execute(values as Record<string, unknown>))
    },

    writeRows: (build) => dialect.readAll(build),

    write (build) {
      const changed = dialect.writeRows(() => build().returning({ changed: sql`1` }))
      return async (values) => (await changed(values)).length
    },

    writeOnce: async (query) => bounded(query as unknown as PromiseLike<never>),

    // The application's column may be `citext` or have a nondeterministic collation. The first comparison is for its index.
    emailIs: (address) => and(eq(email, address as string), sql`${email}::text collate "C" = ${address}`)!,

    isRefusal: (error) => ['22', '23'].includes(sqlStateClass(error)),

    // `skip locked` leaves rows that are in use for the next time, so that two cleanups never wait for each other and no row is
    // deleted that was renewed in the meantime. `any (array (...))` chooses and locks the rows once; `in (...)` may choose again
    // for each row. In the order of the index, or the planner may read the whole table if most rows have expired.
    removeExpired (table, id, expiry) {
      const expired = db.select({ id }).from(table).where(lt(expiry, sql.placeholder('before'))).orderBy(asc(expiry))
        .limit(sql.placeholder('limit')).for('update', { skipLocked: true })
      return dialect.write(() => db.delete(table).where(sql`${id} = any(array${expired})`))
    }
  }
  return dialect
}

/** The first two characters of PostgreSQL's error code: 22 is a value that a type cannot hold, 23 a violated constraint. */
export function sqlStateClass (error: unknown): string {
  return String(driverError(error).code).slice(0, 2)
}
