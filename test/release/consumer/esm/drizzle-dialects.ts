/** Each dialect of Drizzle has its own `drizzleStorage`, which refuses other dialects. It is compiled and never run. */
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { MySql2Database } from 'drizzle-orm/mysql2'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { PgliteDatabase } from 'drizzle-orm/pglite'
import { boolean, pgTable, pgView, text, uuid, withReplicas } from 'drizzle-orm/pg-core'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { OtpAuthOptions } from 'fastify-otp-auth'
import * as mysql from 'fastify-otp-auth/drizzle/mysql'
import * as pg from 'fastify-otp-auth/drizzle/pg'
import * as sqlite from 'fastify-otp-auth/drizzle/sqlite'

interface Schema extends Record<string, unknown> { users: typeof pg.users }
declare const sqlites: BetterSQLite3Database | LibSQLDatabase | LibSQLDatabase<{ users: typeof sqlite.users }>
declare const node: NodePgDatabase<Schema>
declare const postgreses: PgliteDatabase | PostgresJsDatabase<Schema> | typeof node
declare const mysqls: MySql2Database | MySql2Database<{ users: typeof mysql.users }>

const withUuid = pgTable('users', {
  id: uuid('user_no').primaryKey(), email: text('mail').notNull().unique(), isVerified: boolean().notNull(), company: text()
})
const withNumericFlag = pgTable('a', { id: uuid().primaryKey(), email: text().notNull().unique(), isVerified: text().notNull() })
const withNullEmail = pgTable('b', { id: uuid().primaryKey(), email: text().unique(), isVerified: boolean().notNull() })
const view = pgView('c').as((query) => query.select().from(withUuid))

export const storages: Array<OtpAuthOptions['storage']> = [
  sqlite.drizzleStorage(sqlites, { users: sqlite.users }),
  pg.drizzleStorage(postgreses, { users: withUuid, timeout: 1000, prepare: false }),
  pg.drizzleStorage(withReplicas(node, [node])),
  mysql.drizzleStorage(mysqls, { users: mysql.users, timeout: 1000 })
]

// @ts-expect-error a database of another dialect
sqlite.drizzleStorage(node)
// @ts-expect-error a database of another dialect
pg.drizzleStorage(mysqls)
// @ts-expect-error a database of another dialect
pg.drizzleStorage(sqlites)
// @ts-expect-error a database of another dialect
mysql.drizzleStorage(node)
// @ts-expect-error a table of another dialect
sqlite.drizzleStorage(sqlites, { users: withUuid })
// @ts-expect-error a table of another dialect
pg.drizzleStorage(node, { users: mysql.users })
// @ts-expect-error a table of another dialect
mysql.drizzleStorage(mysqls, { users: sqlite.users })
// @ts-expect-error a flag that is a text
pg.drizzleStorage(node, { users: withNumericFlag })
// @ts-expect-error an email that can be null
pg.drizzleStorage(node, { users: withNullEmail })
// @ts-expect-error a view, into which no user can be inserted
pg.drizzleStorage(node, { users: view })
// @ts-expect-error columns without a table
pg.drizzleStorage(node, { users: { id: withUuid.id, email: withUuid.email, isVerified: withUuid.isVerified } })
