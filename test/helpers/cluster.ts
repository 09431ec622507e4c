import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { ownEnvironment } from './environment.ts'
import { httpClient } from './http-client.ts'
import type { RaceSettings } from './race-app.ts'
import type { FromServer, ServerStart, ToServer } from './server-process.ts'
import { openStore, type StoreSpec } from './stores.ts'
import { fullSizes, type RaceMail, type Target } from './target.ts'

const PROGRAM = fileURLToPath(new URL('./server-process.ts', import.meta.url))

export interface Cluster extends Target {
  /** Ends a server as a crash does, in the middle of whatever it does. */
  crash (server: number): Promise<void>
  /** Resolves once the server is stuck in a login of {@link stuckAt}: the code is used, the session not yet there. */
  stuck (server: number): Promise<void>
}

/** The address whose login the nth server never finishes. */
export const stuckAt = (server: number): string => `stuck-${server}@example.com`

/** A file of SQLite for several processes, removed after the test. */
export async function sqliteFile (t: Test): Promise<StoreSpec> {
  const folder = await mkdtemp(join(tmpdir(), 'otp-auth-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return { kind: 'sqlite', file: join(folder, 'shared.db') }
}

/** Starts `size` processes, each a server of the application, all on one database; they end with the test. */
export async function startCluster (t: Test, size: number, settings: RaceSettings, sizes = fullSizes): Promise<Cluster> {
  const store = await openStore(settings.store)
  const mails: RaceMail[] = []
  const servers = await Promise.all(Array.from({ length: size }, (_, position) =>
    startServer({ settings, stuckAt: stuckAt(position) }, (mail) => mails.push(mail))))
  t.teardown(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    await store.close()
  })
  const order = (seconds: number) => Promise.all(servers.filter((server) => server.runs()).map((server) => server.advance(seconds)))
  return {
    store,
    sizes,
    server: (position) => servers[position % size]!.client,
    crash: (position) => servers[position]!.crash(),
    stuck: (position) => servers[position]!.stuck,
    advance: async (seconds) => { await order(seconds) },
    async mails () {
      await order(0)
      return mails
    }
  }
}

async function startServer (start: ServerStart, onMail: (mail: RaceMail) => void) {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, JSON.stringify(start)], {
    env: ownEnvironment(), stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  const ended = once(child, 'exit')
  let tellStuck = () => {}
  const stuck = new Promise<void>((resolve) => { tellStuck = resolve })
  const orders = new Map<number, () => void>()
  let orderCount = 0
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error('a server ended before it listened')))
    child.on('message', (message: FromServer) => {
      if ('mail' in message) onMail(message.mail)
      else if ('done' in message) orders.get(message.done)!()
      else if ('stuck' in message) tellStuck()
      else resolve(message.port)
    })
  })
  const client = httpClient(port, 50)
  const runs = () => child.exitCode === null && child.signalCode === null

  return {
    client,
    runs,
    stuck,

    async advance (seconds: number): Promise<void> {
      const done = new Promise<void>((resolve) => orders.set(++orderCount, resolve))
      child.send({ order: orderCount, advance: seconds } satisfies ToServer)
      await done
    },

    async crash (): Promise<void> {
      child.kill('SIGKILL')
      await ended
    },

    async stop (): Promise<void> {
      client.close()
      if (child.connected) child.disconnect()
      await ended
    }
  }
}
