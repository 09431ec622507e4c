import { invalidOption } from '../errors.ts'
import type { RateLimitStore } from '../options/types.ts'

/** The count of one key in one period is a window. {@link MemoryStore} has two maps, each with at most so many: about 20 MB. */
const MAX_WINDOWS = 50_000

/**
 * Counts in this process's memory. The default store of @fastify/rate-limit returns its own counter object and keeps
 * changing it. If several requests arrive at once, each would see the count of the last one, and all would be refused.
 *
 * At least the 50,000 windows that started last are kept. When the newer map is full, or all windows in the older map have
 * ended, the newer map replaces the older one. Removing ended windows one by one would become slower as their number grows.
 */
export class MemoryStore implements RateLimitStore {
  #newer = new Map<string, { count: number, endsAt: number }>()
  #older = this.#newer
  #newerSince = 0

  incr (...[key, done, timeWindow]: Parameters<RateLimitStore['incr']>): void {
    const now = Date.now()
    let window = this.#newer.get(key) ?? this.#older.get(key)
    // If the clock moved back, start a new window, so that no window becomes longer.
    if (window === undefined || window.endsAt <= now || window.endsAt > now + timeWindow) {
      if (this.#newer.size >= MAX_WINDOWS || now >= this.#newerSince + timeWindow) this.#dropOlder(now)
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
 * Checks the results of the application's store class. Without a valid count every request would be allowed, and a rejected
 * promise that nobody awaits would end the process.
 */
export function checkedStore (Store: new (options: never) => RateLimitStore): new (options: never) => RateLimitStore {
  return class implements RateLimitStore {
    readonly #store: RateLimitStore

    constructor (options: never) {
      this.#store = new Store(options)
      if (typeof this.#store.incr !== 'function') {
        throw invalidOption('rateLimit.store must be a class whose objects have the method incr, as @fastify/rate-limit expects')
      }
    }

    incr (...[key, done, timeWindow, max]: Parameters<RateLimitStore['incr']>): void {
      function respond (error: Error | null, result?: { current: number, ttl: number }): void {
        if (error) return done(error)
        const { current, ttl } = result ?? {}
        if (!Number.isFinite(current) || !Number.isFinite(ttl)) return done(new Error('The method incr of rateLimit.store must call its callback with the numbers current and ttl'))
        done(null, { current: current!, ttl: ttl! })
      }
      // `incr` returns nothing, unless it is an async function.
      Promise.resolve(this.#store.incr(key, respond, timeWindow, max)).catch((error) => respond(error ?? new Error('rateLimit.store rejected')))
    }
  }
}

interface Commands {
  [command: string]: unknown
  defineCommand (name: string, definition: { numberOfKeys: number, lua: string }): void
}

/**
 * The application's ioredis client, with our commands under separate names. @fastify/rate-limit defines the command
 * `rateLimit` only if the client does not have it. A command of that name from elsewhere would run instead, and its result
 * would be used as a count.
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
