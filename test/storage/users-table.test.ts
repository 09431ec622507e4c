import { drizzle as onMysql } from 'drizzle-orm/mysql2'
import { drizzle as onPg } from 'drizzle-orm/node-postgres'
import { drizzle as onSqlite } from 'drizzle-orm/better-sqlite3'
import { boolean as mysqlBoolean, mysqlTable, serial as mysqlSerial } from 'drizzle-orm/mysql-core'
import { pgTable, serial, text as pgText } from 'drizzle-orm/pg-core'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import t from 'tap'
import * as mysql from '../../src/storage/drizzle/mysql.ts'
import * as pg from '../../src/storage/drizzle/pg.ts'
import * as sqlite from '../../src/storage/drizzle/sqlite.ts'

t.test('a users table that lacks a column is refused at once, and the error names the column', async (t) => {
  const noFlag = sqliteTable('users', { id: integer().primaryKey(), email: text().notNull() })
  const noEmail = mysqlTable('users', { id: mysqlSerial().primaryKey(), isVerified: mysqlBoolean().notNull() })
  const noId = pgTable('users', { number: serial().primaryKey(), email: pgText().notNull() })
  // @ts-expect-error -- a type error as well
  t.throws(() => sqlite.drizzleStorage(onSqlite(':memory:'), { users: noFlag }), { name: 'TypeError', message: /"isVerified"/ })
  // @ts-expect-error -- a type error as well
  t.throws(() => mysql.drizzleStorage(onMysql('mysql://nobody@127.0.0.1:1/none'), { users: noEmail }), { name: 'TypeError', message: /"email"/ })
  // @ts-expect-error -- a type error as well
  t.throws(() => pg.drizzleStorage(onPg('postgres://nobody@127.0.0.1:1/none'), { users: noId }), { name: 'TypeError', message: /"id"/ })
})
