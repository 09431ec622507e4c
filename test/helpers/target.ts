import type { Test } from 'tap'
import { Browser, type Requestable } from './browser.ts'
import { logStream } from './log.ts'
import { buildRaceApp, type RaceSettings } from './race-app.ts'
import type { Store } from './stores.ts'

export interface RaceEmail {
  email: string
  code: string
  /** The address of the browser that requested it. */
  ip: string
}

/** How large the attacks are. */
export interface Sizes {
  /** The number of parallel attempts; other attacks use a part of it. A multiple of 4 and at least 24, to exceed limits of up to ten. */
  parallel: number
  /** How often a race is repeated that does not show an error every time. */
  rounds: number
}

export const fullSizes: Sizes = { parallel: 200, rounds: 100 }

/** The application under attack, in one process or in several on one database. */
export interface Target {
  /** To see what was written. */
  store: Store
  sizes: Sizes
  /** The nth server. After the last server the first one follows again. */
  server (position: number): Requestable
  /** All emails that all servers have sent so far. */
  emails (): Promise<RaceEmail[]>
  /** Moves the clock of every server. */
  advance (seconds: number): Promise<void>
}

/** An application in one process, attacked through `inject`. */
export async function oneProcess (t: Test, settings: Omit<RaceSettings, 'store'> = {}): Promise<Target> {
  const emails: RaceEmail[] = []
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

/** A new browser from a new network, at the nth server. */
export function visitor (target: Target, server = visitors): Browser {
  visitors++
  return new Browser(target.server(server), `${10 + (visitors >> 16)}.${visitors >> 8 & 255}.${visitors & 255}.1`)
}
