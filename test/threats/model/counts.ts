/** Budgets and failure counts of the model, as the options say. Times are milliseconds. */

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** A fixed window, which starts at its first event. */
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

/** How long each part still refuses; 0 where it does not. */
export interface Waits {
  cooldown: number
  short: number
  long: number
}

export type Budgets = Record<string, Counter>

const NEVER = -1e15

export function waits (counters: Budgets, key: string, limits: Limits, now: number): Waits {
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

/** All of it or nothing. */
export function take (counters: Budgets, key: string, limits: Limits, now: number): boolean {
  if (longest(waits(counters, key, limits, now)) > 0) return false
  const before = counters[key]
  const next = (window: Window | undefined, length = DAY): Window =>
    window === undefined || window.from + length <= now ? { from: now, n: 1 } : { from: window.from, n: window.n + 1 }
  counters[key] = { lastAt: now, short: next(before?.short, limits.short?.length), long: next(before?.long, limits.long?.length) }
  return true
}

export function giveBack (
  counters: Budgets, key: string, takenAt: number, { cooldown, counts }: { cooldown: boolean, counts: boolean }
): void {
  const counter = counters[key]!
  if (cooldown && counter.lastAt === takenAt) counter.lastAt = NEVER
  if (counts) {
    for (const window of [counter.short, counter.long]) window.n = Math.max(0, window.n - 1)
  }
}

/** Guesses that were compared and did not fit. */
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

/** How long new codes stay long. */
export function failureWait (failures: Failures | undefined, counter: { perDay: number, consecutive: number }, now: number): number {
  if (failures === undefined) return 0
  const { lastAt, day, consecutive } = failures
  return Math.max(0, day.n >= counter.perDay ? day.from + DAY - now : 0, consecutive >= counter.consecutive ? lastAt + LAPSE - now : 0)
}
