import type { CounterIncrement, Failure, UnboundAttempt } from '../contract.ts'

// The values for the placeholders of statements, made from the arguments of verbs.

/** The largest number that a column for counts can hold. PostgreSQL refuses to compare such a column with a larger limit. */
const LARGEST_COUNT = 2 ** 31 - 1

/** Adds `mac0`, `mac1` and so on, for a statement that compares several MACs. */
export function attemptValues (attempt: UnboundAttempt): Record<string, unknown> {
  const values: Record<string, unknown> = { ...attempt }
  attempt.macs.forEach((mac, position) => { values[`mac${position}`] = mac })
  return values
}

/** An insert and a new window count their first event without a check of the limit. So a limit of 0 needs this check. */
export function admitsNone ({ short, long }: CounterIncrement): boolean {
  return short.limit < 1 || long.limit < 1
}

export function incrementValues ({ key, now, cooldown, short, long }: CounterIncrement) {
  return {
    key,
    now,
    // Without a cooldown, a clock that moved back must not refuse.
    lastBefore: cooldown === 0 ? Number.MAX_SAFE_INTEGER : now - cooldown,
    shortStart: now - short.length,
    shortLimit: Math.min(short.limit, LARGEST_COUNT),
    longStart: now - long.length,
    longLimit: Math.min(long.limit, LARGEST_COUNT),
    expiresAt: now + Math.max(cooldown, short.length, long.length)
  }
}

export function failureValues ({ key, now, window, lapse }: Failure) {
  return { key, now, windowStart: now - window, lapsedAt: now - lapse, expiresAt: now + Math.max(window, lapse) }
}
