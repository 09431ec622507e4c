import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { OtpAuthStorage } from '../../src/index.ts'
import { drizzleStorage as pgStorage } from '../../src/storage/drizzle/pg/adapter.ts'
import { freshDatabase, skipWithoutServer, type ServerKind } from '../helpers/databases.ts'
import { seed } from '../helpers/properties.ts'
import { openStore } from '../helpers/stores.ts'
import { openLibsql } from '../helpers/databases/libsql.ts'
import { startPGlite } from '../helpers/databases/pg.ts'
import { sequences } from '../helpers/model/commands.ts'
import { Run } from '../helpers/model/run.ts'
import { createWorld } from '../helpers/model/world.ts'

/** The number of sequences on SQLite. Slower databases get fewer. `MODEL_RUNS` changes all of them in the same proportion. */
const DAILY = 100
const more = Number(process.env['MODEL_RUNS'] ?? DAILY) / DAILY

async function server (t: Test, kind: ServerKind): Promise<OtpAuthStorage> {
  const store = await openStore(await freshDatabase(t, kind))
  t.teardown(() => store.close())
  return store.storage
}

interface Adapter {
  runs: number
  open (t: Test): Promise<OtpAuthStorage>
  skip?: string | false
}

const adapters: Record<string, Adapter> = {
  SQLite: {
    runs: DAILY,
    async open (t) {
      const store = await openStore({ kind: 'sqlite', file: ':memory:' })
      t.teardown(() => store.close())
      return store.storage
    }
  },
  libsql: {
    runs: 12,
    async open (t) {
      const { storages, close } = await openLibsql({}, 1)
      t.teardown(close)
      return storages[0]!
    }
  },
  PGlite: {
    runs: 5,
    async open (t) {
      const { handles: [db], end } = await startPGlite()
      t.teardown(end)
      return pgStorage(db)
    }
  },
  PostgreSQL: { runs: 12, skip: skipWithoutServer('pg'), open: (t) => server(t, 'pg') },
  'MySQL or MariaDB': { runs: 8, skip: skipWithoutServer('mysql'), open: (t) => server(t, 'mysql') },
  MongoDB: { runs: 2, skip: skipWithoutServer('mongodb'), open: (t) => server(t, 'mongodb') }
}

for (const [name, { runs, skip, open }] of Object.entries(adapters)) {
  t.test(`the plugin on ${name} responds to random sequences of requests as the model does`, { skip: skip ?? false }, async (t) => {
    const world = await createWorld(await open(t))
    t.teardown(() => world.app.close())
    const numRuns = Math.ceil(runs * more)
    t.comment(`FC_SEED=${seed} repeats these ${numRuns} sequences`)
    await fc.assert(fc.asyncProperty(sequences, (commands) =>
      fc.asyncModelRun(() => {
        const run = new Run(world)
        return { model: run, real: run }
      }, commands)), { seed, numRuns, includeErrorInReport: true })
    t.pass(`${numRuns} sequences`)
  })
}
