import { setTimeout } from 'node:timers/promises'
import { HOUR } from '../core/duration.ts'
import type { Services } from '../services/services.ts'
import type { ExpiringKind } from '../storage/contract.ts'
import type { CleanupCount } from '../types/decorators.ts'

/** Another process may have a slow clock and still use a row that has expired here. An hour covers any realistic difference. */
const MARGIN = HOUR

const FIRST_BATCH = 50
const SMALLEST_BATCH = 10
const LARGEST_BATCH = 1_000

/** Milliseconds that one batch should take. A synchronous driver blocks the process for as long. */
const BATCH_TIME = 5

/** How the cleanup measures time and waits. Tests pass their own. */
export interface Pace {
  /** Milliseconds, from any start. */
  now (): number
  pause (milliseconds: number): Promise<unknown>
}

const realPace: Pace = { now: () => performance.now(), pause: (milliseconds) => setTimeout(milliseconds) }

/**
 * Removes rows that expired more than an hour ago. So that logins are not blocked, the size of a batch depends on the time that
 * the last one took, and after each batch the cleanup pauses for at least as long.
 */
export async function cleanup (services: Services, pace = realPace): Promise<CleanupCount> {
  return {
    challenges: await removeAll(services, 'challenges', pace),
    counters: await removeAll(services, 'counters', pace),
    sessions: await removeAll(services, 'sessions', pace)
  }
}

async function removeAll ({ storage, options }: Services, kind: ExpiringKind, pace: Pace): Promise<number> {
  const before = options.clock() - MARGIN
  let total = 0
  let limit = FIRST_BATCH
  for (;;) {
    const start = pace.now()
    const removed = await storage.removeExpired({ kind, before, limit })
    const taken = pace.now() - start
    total += removed
    if (removed < limit) return total
    limit = nextBatch(limit, taken)
    await pace.pause(taken)
  }
}

/** At most twice as large as the last one, so that one fast batch is not followed by a slow one. */
function nextBatch (last: number, taken: number): number {
  const fitting = Math.floor(last * Math.min(2, BATCH_TIME / taken))
  return Math.min(LARGEST_BATCH, Math.max(SMALLEST_BATCH, fitting))
}
