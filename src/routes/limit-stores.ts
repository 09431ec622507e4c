import { InvalidOption } from '../errors.ts'
import type { RateLimitStore } from '../option-types.ts'

/** Windows in one of the two maps of a limit; a limit takes some 20 MB at most. */
const MOST_WINDOWS = 50_000

/**
 * Counts in this process. The store that @fastify/rate-limit has by itself hands out the object in which it goes on
 * counting: of requests that are asked at once, each would see the count of the last, and all be refused.
 *
 * At least the 50,000 windows that began last are kept, whatever comes: the newer map takes the place of the older one when
 * it is full, or when all windows in that are over. To remove them one by one would cost more the more of them there were.
 */
export class MemoryStore implements RateLimitStore {
  #newer = new Map<string, { count: number, endsAt: number }>()
  #older = this.#newer
  #newerSince = 0

  incr (...[key, done, timeWindow]: Parameters<RateLimitStore['incr']>): void {
    const now = Date.now()
    let window = this.#newer.get(key) ?? this.#older.get(key)
    // A clock that was set back must not make a window longer.
    if (window === undefined || window.endsAt <= now || window.endsAt > now + timeWindow) {
      if (this.#newer.size >= MOST_WINDOWS || now >= this.#newerSince + timeWindow) this.#dropOlder(now)
      window = { count: 0, endsAt: now + timeWindow }
      this.#newer.set(key, window)
    }
    done(null, { current: ++window.count, ttl: window.endsAt - now })
  }

  #dropOlder (now: number): void {
    this.#older = this.#newer
    this.#newer = new Map()
    this.#newerSince = now
  }
}

/**
 * The host's class, held to its word: without a count everybody would be admitted, and a promise that rejects, which nobody
 * waits for, would end the process.
 */
export function checkedStore (Store: new (options: never) => RateLimitStore): new (options: never) => RateLimitStore {
  return class implements RateLimitStore {
    readonly #store: RateLimitStore

    constructor (options: never) {
      this.#store = new Store(options)
      if (typeof this.#store.incr !== 'function') {
        throw new InvalidOption('rateLimit.store must be a class whose objects have the method incr, as @fastify/rate-limit takes it')
      }
    }

    incr (...[key, done, timeWindow, max]: Parameters<RateLimitStore['incr']>): void {
      function answer (error: Error | null, result?: { current: number, ttl: number }): void {
        if (error) return done(error)
        const { current, ttl } = result ?? {}
        if (!Number.isFinite(current) || !Number.isFinite(ttl)) return done(new Error('rateLimit.store answered without the numbers current and ttl'))
        done(null, { current: current!, ttl: ttl! })
      }
      // `incr` returns nothing, unless it is an async function.
      Promise.resolve(this.#store.incr(key, answer, timeWindow, max)).catch((error) => answer(error ?? new Error('rateLimit.store rejected')))
    }
  }
}

interface Commands {
  [command: string]: unknown
  defineCommand (name: string, definition: { numberOfKeys: number, lua: string }): void
}

/**
 * The host's client of ioredis, with our commands under names of their own. @fastify/rate-limit defines `rateLimit` only where
 * the client has no such command: one of the host's own would run in its place, and its answer be taken for a count.
 */
export function withOwnCommands (redis: object): object {
  const client = redis as Commands
  const own: Commands = {
    defineCommand (name, definition) {
      const command = `otpAuth:${name}`
      if (client[command] === undefined) client.defineCommand(command, definition)
      own[name] = (...input: unknown[]) => (client[command] as (...input: unknown[]) => unknown)(...input)
    }
  }
  return own
}
