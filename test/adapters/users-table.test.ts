import { drizzle as onMysql } from 'drizzle-orm/mysql2'
import { drizzle as onPg } from 'drizzle-orm/node-postgres'
import { drizzle as onSqlite } from 'drizzle-orm/better-sqlite3'
import { boolean as mysqlBoolean, mysqlTable, serial as mysqlSerial } from 'drizzle-orm/mysql-core'
import { bigint, pgTable, serial, text as pgText, uuid } from 'drizzle-orm/pg-core'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { MongoClient } from 'mongodb'
import t from 'tap'
import * as mysql from '../../src/storage/drizzle/mysql/adapter.ts'
import * as pg from '../../src/storage/drizzle/pg/adapter.ts'
import { driverError } from '../../src/storage/drizzle/driver-error.ts'
import { preparedByCount } from '../../src/storage/drizzle/prepared.ts'
import { missingId, parseId } from '../../src/storage/drizzle/users-table.ts'
import * as sqlite from '../../src/storage/drizzle/sqlite/adapter.ts'
import { mongodbStorage } from '../../src/storage/mongodb/adapter.ts'

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

t.test('an unknown option is refused, and the error names the known ones; a promise instead of options is refused too', async (t) => {
  const expected = { name: 'TypeError', message: /^Unknown storage option "usres"\. Expected one of users/ }
  const typo = { usres: null } as object
  t.throws(() => sqlite.drizzleStorage(onSqlite(':memory:'), typo), expected)
  t.throws(() => mysql.drizzleStorage(onMysql('mysql://nobody@127.0.0.1:1/none'), typo), expected)
  t.throws(() => pg.drizzleStorage(onPg('postgres://nobody@127.0.0.1:1/none'), typo), expected)
  t.throws(() => mongodbStorage(new MongoClient('mongodb://127.0.0.1:1').db('none'), typo), expected)
  t.throws(() => sqlite.drizzleStorage(onSqlite(':memory:'), Promise.resolve({}) as object), { name: 'TypeError', message: /must be an object\. Got Promise/ })
})

t.test('the user ID in a token becomes a value of the column’s type or no ID, and never the ID of another user', async (t) => {
  const { number, big, words } = pgTable('users', { number: serial(), big: bigint({ mode: 'bigint' }), words: pgText() })
  t.equal(parseId(number, '12'), 12)
  t.equal(parseId(number, '-3'), -3)
  t.equal(parseId(number, '999999999999999'), 999_999_999_999_999, 'a number with 15 digits is exact')
  t.equal(parseId(big, '9007199254740993'), 9_007_199_254_740_993n)
  for (const text of ['', ' ', 'x1', '1x', '1.0', '1e3', '0x1', '+1', ' 1', '1\n', '1,2', '١']) {
    t.equal(parseId(number, text), undefined, JSON.stringify(text))
    t.equal(parseId(big, text), undefined, JSON.stringify(text))
  }
  t.equal(parseId(number, '9007199254740993'), undefined, 'two such IDs would become the same number')
  t.equal(parseId(big, '1'.repeat(20)), undefined, 'more than 64 bits')
  for (const text of ['12', '١', ' x ']) t.equal(parseId(words, text), text)
})

t.test('an ID is created only if the column is not a number and neither a default nor the application sets one', async (t) => {
  const { number, bare, words, filled } = pgTable('users', { number: serial(), bare: bigint({ mode: 'number' }), words: pgText(), filled: uuid().defaultRandom() })
  t.match(missingId(words, {}), { id: /^[0-9a-f-]{36}$/ })
  t.not(missingId(words, {})['id'], missingId(words, {})['id'])
  t.same([missingId(number, {}), missingId(bare, {}), missingId(filled, {}), missingId(words, { id: 'mine' })], [{}, {}, {}, {}])
})

t.test('a statement is prepared once for each number of secrets', async (t) => {
  const prepared: number[] = []
  const statement = preparedByCount((count) => prepared.push(count))
  for (const count of [1, 2, 1, 2, 1]) t.equal(statement(count), count)
  t.same(prepared, [1, 2])
})

t.test('the innermost cause is used as the error of the driver', async (t) => {
  const innermost = new Error('unique', { cause: 'no error' })
  t.equal(driverError(new Error('outer', { cause: new Error('middle', { cause: innermost }) })), innermost)
  t.equal(driverError(innermost), innermost)
})
