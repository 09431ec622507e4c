import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import pg from 'pg'
import type { Test } from 'tap'
import { migrations } from '../../src/storage/drizzle/pg/adapter.ts'
import { MongodbServer } from './databases/mongodb.ts'
import * as mysql from './databases/mysql.ts'
import * as postgres from './databases/pg.ts'
import { skipWithout } from './requirements.ts'
import type { SpecOf } from './stores.ts'

export type ServerKind = 'pg' | 'mysql' | 'mongodb'

/** The environment variable that names a server of each kind. */
export const urlVariable = {
  pg: 'TEST_POSTGRES_URL', mysql: 'TEST_MYSQL_URL', mongodb: 'TEST_MONGODB_URL'
} as const satisfies Record<ServerKind, string>

/** For tap's `skip`: which server is missing. */
export const skipWithoutServer = (kind: ServerKind): string | false => skipWithout(urlVariable[kind])

const made: Record<ServerKind, (t: Test, url: string, timeout: number) => Promise<SpecOf<ServerKind>>> = {
  async pg (t, url, timeout) {
    const database = await postgres.createDatabase(url)
    t.teardown(database.drop)
    const client = new pg.Pool({ connectionString: database.url })
    await migrate(drizzle({ client }), migrations)
    await client.end()
    return { kind: 'pg', url: database.url, timeout }
  },
  async mysql (t, _url, timeout) {
    const database = await mysql.createDatabase()
    t.teardown(database.close)
    return { kind: 'mysql', url: database.url, timeout }
  },
  async mongodb (t, url, timeout) {
    const server = new MongodbServer(url, 1)
    const { db, close } = await server.open()
    t.teardown(async () => {
      await close()
      await server.end()
    })
    return { kind: 'mongodb', url, database: db.databaseName, timeout }
  }
}

/**
 * Creates a database with our tables on the server that the environment names. It is dropped after the test.
 *
 * @param timeout the option of the adapters. It is long, because races on a busy machine take time.
 */
export async function freshDatabase (t: Test, kind: ServerKind, timeout = 60_000): Promise<SpecOf<ServerKind>> {
  return await made[kind](t, process.env[urlVariable[kind]]!, timeout)
}
