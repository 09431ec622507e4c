/** The counters and failure counts of the model. Times are in milliseconds. */

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** A fixed window that starts at its first event. */
interface Window {
  from: number
  n: number
}

export interface Counter {
  lastAt: number
  short: Window
  long: Window
}

export interface Limits {
  cooldown?: number
  short?: { length: number, limit: number }
  long?: { length: number, limit: number }
}

/** How long each part still refuses events; 0 if it does not. */
export interface Waits {
  cooldown: number
  short: number
  long: number
}

export type Counters = Record<string, Counter>

const NEVER = -1e15

export function waits (counters: Counters, key: string, limits: Limits, now: number): Waits {
  const { lastAt, short, long } = counters[key] ?? { lastAt: NEVER, short: { from: NEVER, n: 0 }, long: { from: NEVER, n: 0 } }
  const left = (window: Window, limit: Limits['short']) =>
    limit === undefined || window.n < limit.limit ? 0 : Math.max(0, window.from + limit.length - now)
  return {
    cooldown: limits.cooldown === undefined ? 0 : Math.max(0, lastAt + limits.cooldown - now),
    short: left(short, limits.short),
    long: left(long, limits.long)
  }
}

export function longest ({ cooldown, short, long }: Waits): number {
  return Math.max(cooldown, short, long)
}

/** Counts an event in all parts, or in none if one of them refuses it. */
export function count (counters: Counters, key: string, limits: Limits, now: number): boolean {
  if (longest(waits(counters, key, limits, now)) > 0) return false
  const before = counters[key]
  const next = (window: Window | undefined, length = DAY): Window =>
    window === undefined || window.from + length <= now ? { from: now, n: 1 } : { from: window.from, n: window.n + 1 }
  counters[key] = { lastAt: now, short: next(before?.short, limits.short?.length), long: next(before?.long, limits.long?.length) }
  return true
}

export function release (
  counters: Counters, key: string, countedAt: number, { cooldown, counts }: { cooldown: boolean, counts: boolean }
): void {
  const counter = counters[key]!
  if (cooldown && counter.lastAt === countedAt) counter.lastAt = NEVER
  if (counts) {
    for (const window of [counter.short, counter.long]) window.n = Math.max(0, window.n - 1)
  }
}

/** Attempts that were compared and were wrong. */
export interface Failures {
  lastAt: number
  day: Window
  consecutive: number
}

const LAPSE = 30 * DAY

export function fail (all: Record<string, Failures>, key: string, now: number): void {
  const before = all[key] ?? { lastAt: NEVER, day: { from: NEVER, n: 0 }, consecutive: 0 }
  all[key] = {
    lastAt: now,
    day: before.day.from + DAY <= now ? { from: now, n: 1 } : { from: before.day.from, n: before.day.n + 1 },
    consecutive: before.lastAt + LAPSE <= now ? 1 : before.consecutive + 1
  }
}

/** How long new codes still have 13 characters. */
export function failureWait (failures: Failures | undefined, limits: { perDay: number, consecutive: number }, now: number): number {
  if (failures === undefined) return 0
  const { lastAt, day, consecutive } = failures
  return Math.max(0, day.n >= limits.perDay ? day.from + DAY - now : 0, consecutive >= limits.consecutive ? lastAt + LAPSE - now : 0)
}
