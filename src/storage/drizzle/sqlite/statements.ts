import { asc, eq, inArray, lt, sql } from 'drizzle-orm'
import type { BaseSQLiteDatabase, PreparedQueryConfig, SQLitePreparedQuery } from 'drizzle-orm/sqlite-core'
import type { Database, Query, ReturningDialect, Tables } from '../dialect.ts'
import { driverError } from '../driver-error.ts'
import { lazy } from '../prepared.ts'
import { isLibsqlFile, writeToLibsqlFile } from './libsql-file.ts'

/** better-sqlite3 is a `sync` database and libsql an `async` one. Both are used as `async`: `await` takes a plain value, too. */
export type Connection = BaseSQLiteDatabase<'async', unknown> & { $client?: { inTransaction?: boolean } }

type Prepared<Row> = SQLitePreparedQuery<PreparedQueryConfig & { type: 'async', all: Row[], get: Row | undefined }>

/** How SQLite prepares and runs statements, and what it does in its own way. */
export function sqliteDialect (connection: Connection, tables: Tables): ReturningDialect {
  const db = connection as unknown as Database
  const client = connection.$client

  const prepare = <Row>(query: Query<Row>): Prepared<Row> => (query as unknown as { prepare (): Prepared<Row> }).prepare()

  async function runWrite<Row> (statement: Prepared<Row>, values: object): Promise<Row[]> {
    if (client?.inTransaction === true) {
      throw new Error('The better-sqlite3 handle is inside a transaction of the application. Give fastify-otp-auth a handle of its own')
    }
    return isLibsqlFile(client) ? writeToLibsqlFile(client, statement, values as Record<string, unknown>) : statement.all(values as Record<string, unknown>)
  }

  const dialect: ReturningDialect = {
    db,
    tables,

    readFirst (build) {
      const statement = lazy(() => prepare(build()))
      return async (values) => statement().get(values as Record<string, unknown>)
    },

    readAll (build) {
      const statement = lazy(() => prepare(build()))
      return async (values) => statement().all(values as Record<string, unknown>)
    },

    writeRows (build) {
      const statement = lazy(() => prepare(build()))
      return async (values) => runWrite(statement(), values)
    },

    write (build) {
      const changed = dialect.writeRows(() => build().returning({ changed: sql`1` }))
      return async (values) => (await changed(values)).length
    },

    writeOnce: async (query) => runWrite(prepare(query), {}),

    emailIs: (email) => eq(tables.users.email, email),

    isRefusal: (error) => String(driverError(error).code).startsWith('SQLITE_CONSTRAINT'),

    // In the order of the index. Otherwise the planner may read the whole table if most rows have expired.
    removeExpired (table, id, expiry) {
      const expired = db.select({ id }).from(table).where(lt(expiry, sql.placeholder('before')))
        .orderBy(asc(expiry)).limit(sql.placeholder('limit'))
      return dialect.write(() => db.delete(table).where(inArray(id, expired)))
    }
  }
  return dialect
}
