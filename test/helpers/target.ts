import type { Test } from 'tap'
import { Browser, type Requestable } from './browser.ts'
import { logStream } from './log.ts'
import { buildRaceApp, type RaceSettings } from './race-app.ts'
import type { Store } from './stores.ts'

export interface RaceMail {
  email: string
  code: string
  /** Address of the browser that asked for it. */
  ip: string
}

/** How hard the attacks are. */
export interface Sizes {
  /** Guesses at once; other attacks are a part of it. A multiple of 4, and at least 24, for limits up to ten must be passed. */
  parallel: number
  /** How often a race that is not lost every time is run. */
  rounds: number
}

export const fullSizes: Sizes = { parallel: 200, rounds: 100 }

/** The application under attack, in one process or in several on one database. */
export interface Target {
  /** For a look at what was written. */
  store: Store
  sizes: Sizes
  /** The nth server, counted round. */
  server (position: number): Requestable
  /** Everything that was mailed up to now by all servers. */
  emails (): Promise<RaceMail[]>
  /** Moves the clock of every server. */
  advance (seconds: number): Promise<void>
}

/** One process, attacked over `inject`. */
export async function oneProcess (t: Test, settings: Omit<RaceSettings, 'store'> = {}): Promise<Target> {
  const emails: RaceMail[] = []
  const { app, store, advance } = await buildRaceApp({ ...settings, store: { kind: 'sqlite', file: ':memory:' } },
    ({ email, code, request }) => { emails.push({ email, code, ip: request.ip }) },
    { fastify: { logger: { level: 'warn', stream: logStream } } })
  t.teardown(() => app.close())
  return {
    store,
    sizes: fullSizes,
    server: () => app,
    emails: async () => emails,
    advance: async (seconds) => advance(seconds)
  }
}

let visitors = 0

/** A browser that nobody has seen before, from a network that nobody has seen before, at the nth server. */
export function visitor (target: Target, server = visitors): Browser {
  visitors++
  return new Browser(target.server(server), `${10 + (visitors >> 16)}.${visitors >> 8 & 255}.${visitors & 255}.1`)
}
