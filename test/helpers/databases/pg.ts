import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { migrate as migratePg } from 'drizzle-orm/node-postgres/migrator'
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import { migrate as migratePGlite } from 'drizzle-orm/pglite/migrator'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import { migrate as migratePostgresJs } from 'drizzle-orm/postgres-js/migrator'
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import postgres from 'postgres'
import type { ConformanceDatabase } from '../../../src/conformance/index.ts'
import { drizzleStorage, migrations, users } from '../../../src/storage/drizzle/pg/adapter.ts'

export type PostgresHandle = PgDatabase<PgQueryResultHKT, any, any>

/** A database with our tables, through one of the drivers. */
export interface TestPostgres {
  /** Its handles, each with its own connection or pool. */
  handles: readonly [PostgresHandle, ...PostgresHandle[]]
  end (): Promise<void>
}

/** A driver for a real server. */
export interface ServerDriver {
  name: string
  start (): Promise<TestPostgres>
  /** A handle with a single connection, which can be taken. */
  single (): SingleConnection
}

export interface SingleConnection {
  db: PostgresHandle
  /** Takes the connection. @returns a function that releases it */
  take (): Promise<() => void>
  end (): Promise<void>
}

/** PostgreSQL in this process. It needs no server and has only one connection. */
export async function startPGlite (): Promise<TestPostgres & { client: PGlite }> {
  const client = new PGlite()
  const db = drizzlePGlite({ client })
  await migratePGlite(db, migrations)
  return { client, handles: [db], end: () => client.close() }
}

/** A database of its own on a server, with two handles, each on its own pool. */
async function startOnServer<Pool extends { end (): Promise<void> }, Handle extends PostgresHandle> (
  url: string, openPool: (database: string) => Pool, handleOn: (pool: Pool) => Handle, migrate: (handle: Handle) => Promise<void>
): Promise<TestPostgres> {
  const database = await createDatabase(url)
  const pools = [openPool(database.name), openPool(database.name)] as const
  const handles = [handleOn(pools[0]), handleOn(pools[1])] as const
  await migrate(handles[0])
  return {
    handles,
    async end () {
      await Promise.all(pools.map((pool) => pool.end()))
      await database.drop()
    }
  }
}

export const nodePostgres = (url: string): ServerDriver => {
  const pool = (database: string, max: number) => new pg.Pool({ connectionString: onDatabase(url, database), max })
  return {
    name: 'node-postgres',
    start: () => startOnServer(url, (database) => pool(database, 8), (client) => drizzlePg({ client }), (db) => migratePg(db, migrations)),
    single () {
      const one = pool('postgres', 1)
      return {
        db: drizzlePg({ client: one }),
        async take () {
          const client = await one.connect()
          return () => client.release()
        },
        end: () => one.end()
      }
    }
  }
}

export const postgresJs = (url: string): ServerDriver => {
  const pool = (database: string, max: number) => postgres(onDatabase(url, database), { max, onnotice: () => {} })
  return {
    name: 'postgres.js',
    start: () => startOnServer(url, (database) => pool(database, 8), (client) => drizzlePostgresJs({ client }),
      (db) => migratePostgresJs(db, migrations)),
    single () {
      const one = pool('postgres', 1)
      return {
        db: drizzlePostgresJs({ client: one }),
        async take () {
          const reserved = await one.reserve()
          return () => reserved.release()
        },
        end: () => one.end()
      }
    }
  }
}

/** An empty database for the conformance suite. The server is started once, and the tables are emptied for each case. */
export async function openEmpty ({ handles }: TestPostgres): Promise<ConformanceDatabase> {
  const [db] = handles
  await db.execute(sql`truncate otp_users, otp_challenges, otp_counters, otp_sessions`)
  return {
    // A race on a busy machine takes time.
    storages: handles.map((handle) => drizzleStorage(handle, { timeout: 60_000 })),
    async insertUserRow (user) {
      const [row] = await db.insert(users).values(user).returning()
      return row!.id
    },
    close: async () => {}
  }
}

/** Creates a database on a server that others can also use. */
export async function createDatabase (url: string): Promise<{ name: string, url: string, drop: () => Promise<void> }> {
  const name = `otp_auth_${randomBytes(8).toString('hex')}`
  const run = async (statement: string) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(statement)
    await client.end()
  }
  await run(`create database ${name}`)
  return { name, url: onDatabase(url, name), drop: () => run(`drop database ${name}`) }
}

function onDatabase (url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: `/${database}` }).href
}
