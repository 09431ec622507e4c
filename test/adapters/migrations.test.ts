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
import { migrations as pgMigrations } from '../../src/storage/drizzle/pg/adapter.ts'
import { migrations as sqliteMigrations } from '../../src/storage/drizzle/sqlite/adapter.ts'
import { applicationMigrations, regenerate } from '../helpers/migrations.ts'

for (const [dialect, config] of Object.entries({ sqlite: sqliteConfig, pg: pgConfig, mysql: mysqlConfig })) {
  t.test(`the shipped ${dialect} migrations match the tables`, async (t) => {
    const { before, after, output } = await regenerate(t, config)
    t.ok(before.includes('0000_initial.sql'))
    t.same(after, before, 'a migration is missing: npm run migrations -- --name what_changed')
    // drizzle-kit also exits with 0 and writes nothing if it fails.
    t.match(output, /No schema changes/)
  })
}

/** Drizzle skips a migration that is older than the last one in its table. Those of the application can be older or newer than ours. */
const ages = { older: Date.UTC(2001, 0), newer: Date.UTC(2101, 0) }

/** A database on which both run their migrations, and a query that needs the tables of both. */
interface Migrated {
  application (folder: string): Promise<void>
  ours (): Promise<void>
  /** Queries both tables. */
  look (): Promise<unknown>
}

function independenceCases (t: Test, open: () => Promise<Migrated>) {
  for (const [age, when] of Object.entries(ages)) {
    for (const order of [['application', 'ours'], ['ours', 'application']] as const) {
      t.test(`${order.join(' before ')}, and the migrations of the application are ${age}`, async (t) => {
        const folder = await applicationMigrations(t, when)
        const database = await open()
        for (const round of [1, 2]) {
          for (const who of order) await database[who](folder)
          await t.resolves(database.look(), `round ${round}`)
        }
      })
    }
  }
}

t.test('SQLite: our migrations and those of the application do not affect each other', async (t) => {
  independenceCases(t, async () => {
    const client = new Database(':memory:')
    const db = drizzleSqlite({ client })
    return {
      application: async (migrationsFolder) => migrateSqlite(db, { migrationsFolder }),
      ours: async () => migrateSqlite(db, sqliteMigrations),
      look: async () => db.all(sql`select * from otp_users, app_orders`)
    }
  })
})

t.test('PGlite: our migrations and those of the application do not affect each other', async (t) => {
  const client = new PGlite()
  t.teardown(() => client.close())
  const db = drizzlePGlite({ client })
  independenceCases(t, async () => {
    await client.exec('drop schema if exists drizzle cascade; drop schema public cascade; create schema public')
    return {
      application: (migrationsFolder) => migratePGlite(db, { migrationsFolder }),
      ours: () => migratePGlite(db, pgMigrations),
      look: () => db.execute(sql`select * from otp_users, app_orders`)
    }
  })
})
