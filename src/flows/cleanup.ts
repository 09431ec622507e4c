import { HOUR } from '../core/duration.ts'
import type { ExpiringKind } from '../storage/storage.ts'
import type { CleanupCount } from '../types.ts'
import type { Flow } from './flow.ts'

const BATCH = 1_000

/** What a process with a slow clock may still believe alive must stay; an hour covers any clock worth the name. */
const MARGIN = HOUR

/** Removes what has been over for an hour. Batches are small, so that logins go on between them. */
export async function cleanup (flow: Flow): Promise<CleanupCount> {
  return {
    challenges: await removeAll(flow, 'challenges'),
    budgets: await removeAll(flow, 'budgets'),
    sessions: await removeAll(flow, 'sessions')
  }
}

async function removeAll ({ storage, options }: Flow, kind: ExpiringKind): Promise<number> {
  const before = options.clock() - MARGIN
  let total = 0
  let removed: number
  do {
    removed = await storage.removeExpired({ kind, before, limit: BATCH })
    total += removed
    // A synchronous driver never waits by itself: the requests in between need their turn.
    await new Promise((resolve) => { setImmediate(resolve) })
  } while (removed === BATCH)
  return total
}
