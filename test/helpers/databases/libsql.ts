import { createClient, type Config } from '@libsql/client'
import { drizzle } from 'drizzle-orm/libsql'
import { migrate } from 'drizzle-orm/libsql/migrator'
import type { ConformanceDatabase } from '../../../src/conformance/index.ts'
import { drizzleStorage, migrations, users } from '../../../src/storage/drizzle/sqlite/adapter.ts'
import { temporaryFile } from './sqlite.ts'

/** A new database file with several libsql clients, and an adapter on each. */
export async function openLibsql (config: Omit<Config, 'url'> = {}, clients = 4) {
  const { file, remove } = await temporaryFile()
  const databases = Array.from({ length: clients }, () =>
    drizzle({ client: createClient({ url: `file:${file}`, timeout: 5000, ...config }) }))
  const first = databases[0]!
  await first.$client.execute('PRAGMA journal_mode = WAL')
  await migrate(first, migrations)
  return {
    file,
    databases,
    storages: databases.map((db) => drizzleStorage(db)),
    insertUserRow: async (user) => (await first.insert(users).values(user).returning().get()).id,
    close: async () => {
      for (const db of databases) db.$client.close()
      await remove()
    }
  } satisfies ConformanceDatabase & Record<string, unknown>
}
