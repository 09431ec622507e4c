import { HOUR } from '../core/duration.ts'
import type { Services } from '../services/services.ts'
import type { ExpiringKind } from '../storage/contract.ts'
import type { CleanupCount } from '../types/decorators.ts'

const BATCH = 1_000

/** Another process may have a slow clock and still use a row that has expired here. An hour covers any realistic difference. */
const MARGIN = HOUR

/** Removes rows that expired more than an hour ago. Batches are small, so that logins are not blocked. */
export async function cleanup (services: Services): Promise<CleanupCount> {
  return {
    challenges: await removeAll(services, 'challenges'),
    counters: await removeAll(services, 'counters'),
    sessions: await removeAll(services, 'sessions')
  }
}

async function removeAll ({ storage, options }: Services, kind: ExpiringKind): Promise<number> {
  const before = options.clock() - MARGIN
  let total = 0
  let removed: number
  do {
    removed = await storage.removeExpired({ kind, before, limit: BATCH })
    total += removed
    // A synchronous driver never yields by itself. This gives waiting requests their turn.
    await new Promise((resolve) => { setImmediate(resolve) })
  } while (removed === BATCH)
  return total
}
