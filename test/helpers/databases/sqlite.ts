import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConformanceDatabase } from '../../../src/conformance/index.ts'
import { drizzleStorage, migrations, users } from '../../../src/storage/drizzle/sqlite/adapter.ts'

/** A path in a new directory, and a function that removes both. */
export async function temporaryFile (): Promise<{ file: string, remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'otp-auth-'))
  return { file: join(directory, 'test.db'), remove: () => rm(directory, { recursive: true }) }
}

/** Opens a database file as the documentation recommends. */
export function connect (file: string) {
  const client = new Database(file, { timeout: 5000 })
  client.pragma('journal_mode = WAL')
  client.pragma('synchronous = NORMAL')
  return drizzle({ client })
}

/** A new database file with several connections, and an adapter on each. */
export async function openSqlite (connections = 4): Promise<ConformanceDatabase & { databases: ReturnType<typeof connect>[] }> {
  const { file, remove } = await temporaryFile()
  const databases = Array.from({ length: connections }, () => connect(file))
  const [first] = databases
  migrate(first!, migrations)
  return {
    databases,
    storages: databases.map((db) => drizzleStorage(db)),
    insertUserRow: async (user) => first!.insert(users).values(user).returning().get().id,
    close: async () => {
      for (const db of databases) db.$client.close()
      await remove()
    }
  }
}
