/** Arguments that `drizzleStorage` on SQLite accepts and refuses. It is compiled and never run. */
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { blob, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { OtpAuthOptions } from 'fastify-otp-auth'
import { drizzleStorage } from 'fastify-otp-auth/drizzle/sqlite'

const client = new Sqlite(':memory:')
const withIntegerId = sqliteTable('users', {
  id: integer().primaryKey({ autoIncrement: true }),
  email: text('mail').notNull().unique(),
  isVerified: integer('verified', { mode: 'boolean' }).notNull().default(false),
  company: text()
})
const withTextId = sqliteTable('people', {
  id: text().primaryKey(),
  email: text().notNull().unique(),
  isVerified: integer({ mode: 'boolean' }).notNull()
})
const withBigId = sqliteTable('big', {
  id: blob({ mode: 'bigint' }).primaryKey(),
  email: text().notNull().unique(),
  isVerified: integer({ mode: 'boolean' }).notNull()
})

export const storages: Array<OtpAuthOptions['storage']> = [
  drizzleStorage(drizzle(client)),
  drizzleStorage(drizzle({ client })),
  drizzleStorage(drizzle(client, { schema: { withIntegerId, withTextId } })),
  drizzleStorage(drizzle({ client, schema: { withIntegerId }, casing: 'snake_case' }), { users: withIntegerId }),
  drizzleStorage(drizzle(client), { users: withTextId }),
  drizzleStorage(drizzle(client), { users: withBigId }),
  drizzleStorage(drizzle(client), {})
]

const withoutEmail = sqliteTable('a', { id: text().primaryKey(), isVerified: integer({ mode: 'boolean' }).notNull() })
const withoutVerified = sqliteTable('b', { id: text().primaryKey(), email: text().notNull().unique() })
const withoutId = sqliteTable('c', { email: text().notNull().unique(), isVerified: integer({ mode: 'boolean' }).notNull() })
const withNullEmail = sqliteTable('d', { id: text().primaryKey(), email: text().unique(), isVerified: integer({ mode: 'boolean' }).notNull() })
const withNumericEmail = sqliteTable('e', { id: text().primaryKey(), email: integer().notNull(), isVerified: integer({ mode: 'boolean' }).notNull() })
const withNumericFlag = sqliteTable('f', { id: text().primaryKey(), email: text().notNull().unique(), isVerified: integer().notNull() })

// @ts-expect-error a users table without an email
drizzleStorage(drizzle(client), { users: withoutEmail })
// @ts-expect-error without the flag
drizzleStorage(drizzle(client), { users: withoutVerified })
// @ts-expect-error without an ID
drizzleStorage(drizzle(client), { users: withoutId })
// @ts-expect-error an email that can be null
drizzleStorage(drizzle(client), { users: withNullEmail })
// @ts-expect-error an email that is not a text
drizzleStorage(drizzle(client), { users: withNumericEmail })
// @ts-expect-error a flag that is a number
drizzleStorage(drizzle(client), { users: withNumericFlag })
// @ts-expect-error a client is not a Drizzle database
drizzleStorage(client)
// @ts-expect-error a typo
drizzleStorage(drizzle(client), { user: withTextId })
