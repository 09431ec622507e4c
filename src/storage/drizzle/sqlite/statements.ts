import { asc, eq, inArray, lt, sql } from 'drizzle-orm'
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import type { Database, Query, ReturningDialect, Tables } from '../dialect.ts'
import { driverError } from '../driver-error.ts'
import { prepareOnce } from '../prepared.ts'
import { isLibsqlFile, writeToLibsqlFile, type WriteStatement } from './libsql-file.ts'

/** better-sqlite3 is a `sync` database and libsql an `async` one. Both are used as `async`, because `await` also takes a plain value. */
export type Connection = BaseSQLiteDatabase<'async', unknown> & { $client?: { inTransaction?: boolean } }

interface Prepared<Row> extends WriteStatement {
  get (values: object): Promise<Row | undefined>
  all (values: object): Promise<Row[]>
}

/** The dialect of SQLite, on better-sqlite3 and libsql. */
export function sqliteDialect (connection: Connection, tables: Tables): ReturningDialect {
  const db = connection as unknown as Database
  const client = connection.$client

  const prepare = <Row>(query: Query<Row>) => (query as unknown as { prepare (): Prepared<Row> }).prepare()

  // Every write returns rows, because better-sqlite3 has one method for statements with rows and another one for those without.
  async function write<Row> (statement: Prepared<Row>, values: object): Promise<Row[]> {
    if (client?.inTransaction === true) {
      throw new Error('The better-sqlite3 handle is inside a transaction of the application. Give fastify-otp-auth a handle of its own')
    }
    return isLibsqlFile(client) ? await writeToLibsqlFile(client, statement, values) as Row[] : statement.all(values)
  }

  const dialect: ReturningDialect = {
    db,
    tables,
    readFirst: (build) => prepareOnce(() => prepare(build()), (statement, values) => statement.get(values)),
    readAll: (build) => prepareOnce(() => prepare(build()), (statement, values) => statement.all(values)),
    writeRows: (build) => prepareOnce(() => prepare(build()), write),
    write: (build) => prepareOnce(() => prepare(build().returning({ changed: sql`1` })),
      (statement, values) => write(statement, values).then((rows) => rows.length)),
    execute: (build) => dialect.write(build),
    updateUser: async (query) => (await write(prepare(query.returning()), {}))[0],
    insertUser: async (query) => (await write(prepare(query.returning()), {}))[0]!,

    isRefusal: (error) => String(driverError(error).code).startsWith('SQLITE_CONSTRAINT'),

    emailIs: (email) => eq(tables.users.email, email),

    // In the order of the index. Otherwise the planner may read the whole table if most rows have expired.
    removeExpired (table, id, expiry) {
      const expired = db.select({ id }).from(table).where(lt(expiry, sql.placeholder('before')))
        .orderBy(asc(expiry)).limit(sql.placeholder('limit'))
      return dialect.write(() => db.delete(table).where(inArray(id, expired)))
    }
  }
  return dialect
}
