import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { ownEnvironment } from './environment.ts'
import { httpClient } from './http-client.ts'
import type { RaceSettings } from './race-app.ts'
import type { FromServer, ToServer } from './server-process.ts'
import type { Stopped } from './stops.ts'
import { openStore, type StoreSpec } from './stores.ts'
import { fullSizes, type RaceEmail, type Target } from './target.ts'

const PROGRAM = fileURLToPath(new URL('./server-process.ts', import.meta.url))

export interface Cluster extends Target {
  /** Kills a server in the middle of its work, as a crash does. */
  crash (server: number): Promise<void>
  /** Waits until the request that {@link toldToStop} marked with this ID has stopped. @returns the call before which it stopped */
  stopped (id: string): Promise<string>
}

/** A SQLite file for several processes, removed after the test. */
export async function sqliteFile (t: Test): Promise<StoreSpec> {
  const folder = await mkdtemp(join(tmpdir(), 'otp-auth-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return { kind: 'sqlite', file: join(folder, 'shared.db') }
}

/** Starts `size` processes, each with a server of the application, on one database. They end with the test. */
export async function startCluster (t: Test, size: number, settings: RaceSettings, sizes = fullSizes): Promise<Cluster> {
  const store = await openStore(settings.store)
  const emails: RaceEmail[] = []
  const stops = new EventEmitter()
  const servers = await Promise.all(Array.from({ length: size }, () =>
    startServer(settings, (email) => emails.push(email), ({ id, before }) => stops.emit(id, before))))
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
    stopped: async (id) => (await once(stops, id))[0] as string,
    advance: async (seconds) => { await order(seconds) },
    async emails () {
      await order(0)
      return emails
    }
  }
}

async function startServer (settings: RaceSettings, onEmail: (email: RaceEmail) => void, onStop: (stopped: Stopped) => void) {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, JSON.stringify(settings)], {
    env: ownEnvironment(), stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  const ended = once(child, 'exit')
  const orders = new Map<number, () => void>()
  let orderCount = 0
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error('a server ended before it listened')))
    child.on('message', (message: FromServer) => {
      if ('email' in message) onEmail(message.email)
      else if ('done' in message) orders.get(message.done)!()
      else if ('stopped' in message) onStop(message.stopped)
      else resolve(message.port)
    })
  })
  const client = httpClient(port, 200)
  const runs = () => child.exitCode === null && child.signalCode === null

  return {
    client,
    runs,

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
