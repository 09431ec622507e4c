import { PGlite } from '@electric-sql/pglite'
import Database from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { migrate as migrateSqlite } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { migrate as migratePGlite } from 'drizzle-orm/pglite/migrator'
import t, { type Test } from 'tap'
import mysqlConfig from '../../drizzle/mysql.config.ts'
import pgConfig from '../../drizzle/pg.config.ts'
import sqliteConfig from '../../drizzle/sqlite.config.ts'
import { migrations as mysqlMigrations } from '../../src/storage/drizzle/mysql/adapter.ts'
import { migrations as pgMigrations } from '../../src/storage/drizzle/pg/adapter.ts'
import { migrations as sqliteMigrations } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { hostMigrations, regenerate } from './migrations-helpers.ts'

for (const [dialect, config] of Object.entries({ sqlite: sqliteConfig, pg: pgConfig, mysql: mysqlConfig })) {
  t.test(`the shipped migrations of ${dialect} are those of its tables`, async (t) => {
    const { before, after, output } = await regenerate(t, config)
    t.ok(before.includes('0000_initial.sql'))
    t.same(after, before, 'a migration is missing: npm run migrations -- --name what_changed')
    // It exits with 0 and writes nothing where it fails, too.
    t.match(output, /No schema changes/)
  })
}

t.test('the name of our books never changes, or hosts that upgrade would run every migration anew', async (t) => {
  for (const { migrationsTable } of [sqliteMigrations, pgMigrations, mysqlMigrations]) t.equal(migrationsTable, '__otp_auth_migrations')
})

/** Drizzle leaves out what is older than the last one in its books: the host's may be older than ours or newer. */
const ages = { older: Date.UTC(2001, 0), newer: Date.UTC(2101, 0) }

/** What is done to one database: the migrations of both, and a look at what they left. */
interface Migrated {
  host (folder: string): Promise<void>
  ours (): Promise<void>
  /** Asks both tables for a row. */
  look (): Promise<unknown>
}

function bookkeepingCases (t: Test, open: () => Promise<Migrated>) {
  for (const [age, when] of Object.entries(ages)) {
    for (const order of [['host', 'ours'], ['ours', 'host']] as const) {
      t.test(`${order.join(' before ')}, whose migrations are ${age} than ours`, async (t) => {
        const folder = await hostMigrations(t, when)
        const database = await open()
        for (const round of [1, 2]) {
          for (const who of order) await database[who](folder)
          await t.resolves(database.look(), `round ${round}`)
        }
      })
    }
  }
}

t.test("SQLite: our books of migrations are apart from the host's", async (t) => {
  bookkeepingCases(t, async () => {
    const client = new Database(':memory:')
    const db = drizzleSqlite({ client })
    return {
      host: async (migrationsFolder) => migrateSqlite(db, { migrationsFolder }),
      ours: async () => migrateSqlite(db, sqliteMigrations),
      look: async () => db.all(sql`select * from otp_users, host_orders`)
    }
  })
})

t.test("PGlite: our books of migrations are apart from the host's", async (t) => {
  const client = new PGlite()
  t.teardown(() => client.close())
  const db = drizzlePGlite({ client })
  bookkeepingCases(t, async () => {
    await client.exec('drop schema if exists drizzle cascade; drop schema public cascade; create schema public')
    return {
      host: (migrationsFolder) => migratePGlite(db, { migrationsFolder }),
      ours: () => migratePGlite(db, pgMigrations),
      look: () => db.execute(sql`select * from otp_users, host_orders`)
    }
  })
})
