import assert from 'node:assert/strict'
import type { ExpiringKind, OtpAuthStorage } from '../storage/contract.ts'
import { hour, makeChallenge, makeSession, now } from './fixtures.ts'
import { oneTo, type RegisterCase } from './harness.ts'

/** Stores one row of a kind. */
type StoreRow = (storage: OtpAuthStorage, id: string, userId: string) => Promise<StoredRow>

interface StoredRow {
  expiresAt: number
  exists: () => Promise<boolean>
}

const kinds: Record<ExpiringKind, StoreRow> = {
  challenges: async (storage, id) => {
    await storage.insertChallenge(makeChallenge({ id, expiresAt: now }))
    return { expiresAt: now, exists: async () => await storage.findChallenge(id) !== null }
  },
  counters: async (storage, id) => {
    const window = { length: hour, limit: 5 }
    await storage.incrementCounter({ key: id, now, cooldown: 0, short: window, long: window })
    const { expiresAt } = (await storage.readCounter(id))!
    return { expiresAt, exists: async () => await storage.readCounter(id) !== null }
  },
  sessions: async (storage, id, userId) => {
    await storage.insertSession(makeSession({ id, userId, idleExpiresAt: now, revokedAt: now - 1 }))
    return { expiresAt: now, exists: async () => await storage.loadSession({ sessionId: id, userId }) !== null }
  }
}

export function cleanupCases (register: RegisterCase): void {
  for (const [kind, storeRow] of Object.entries(kinds) as [ExpiringKind, StoreRow][]) {
    register(`only ${kind} that expired before the given time are removed`, async ({ storage, insertMike }) => {
      const userId = await insertMike()
      const stored = await storeRow(storage, 'one', userId)
      const others = Object.keys(kinds).filter((other) => other !== kind) as ExpiringKind[]
      const otherRows = await Promise.all(others.map((other) => kinds[other](storage, 'other', userId)))

      assert.equal(await storage.removeExpired({ kind, before: stored.expiresAt, limit: 10 }), 0)
      assert.equal(await stored.exists(), true)
      assert.equal(await storage.removeExpired({ kind, before: stored.expiresAt + 1, limit: 10 }), 1)
      assert.equal(await stored.exists(), false)
      assert.equal(await storage.removeExpired({ kind, before: stored.expiresAt + 1, limit: 10 }), 0)
      for (const row of otherRows) assert.equal(await row.exists(), true)
    })

    register(`one call removes at most the given number of ${kind}`, async ({ storage, insertMike }) => {
      const userId = await insertMike()
      const stored: StoredRow[] = []
      for (const number of oneTo(12)) stored.push(await storeRow(storage, `number-${number}`, userId))
      for (const [removed, left] of [[5, 7], [5, 2], [2, 0], [0, 0]]) {
        assert.equal(await storage.removeExpired({ kind, before: stored[0]!.expiresAt + 1, limit: 5 }), removed)
        const remaining = await Promise.all(stored.map(({ exists }) => exists()))
        assert.equal(remaining.filter(Boolean).length, left)
      }
    })

    register(`parallel removals of ${kind} count each row once`, async ({ storage, race, insertMike }) => {
      const userId = await insertMike()
      const stored: StoredRow[] = []
      for (const number of oneTo(12)) stored.push(await storeRow(storage, `number-${number}`, userId))
      const removal = { kind, before: stored[0]!.expiresAt + 1, limit: 100 }
      const counts = await race((adapter) => adapter.removeExpired(removal))
      counts.push(await storage.removeExpired(removal))
      assert.equal(counts.reduce((sum, count) => sum + count, 0), 12)
    })
  }

  register('a refreshed session is kept until its new expiry', async ({ storage, insertMike }) => {
    const userId = await insertMike()
    await storage.insertSession(makeSession({ userId, idleExpiresAt: now + 1 }))
    await storage.rotateSession({ id: 'session', seq: 0, now, rotatedBefore: now, idleExpiresAt: now + hour })
    assert.equal(await storage.removeExpired({ kind: 'sessions', before: now + hour, limit: 10 }), 0)
    assert.equal(await storage.removeExpired({ kind: 'sessions', before: now + hour + 1, limit: 10 }), 1)
  })

  register('a renewed challenge is kept until its new expiry', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge({ expiresAt: now + 1 }))
    await storage.renewChallenge({ ...makeChallenge({ codeMac: 'mac-2', expiresAt: now + hour }), now })
    assert.equal(await storage.removeExpired({ kind: 'challenges', before: now + hour, limit: 10 }), 0)
    assert.equal(await storage.removeExpired({ kind: 'challenges', before: now + hour + 1, limit: 10 }), 1)
  })

  register('a counter is kept until its consecutive failures no longer count', async ({ storage }) => {
    await storage.countFailure({ key: 'failures', now, window: hour, lapse: 30 * hour })
    assert.equal(await storage.removeExpired({ kind: 'counters', before: now + 30 * hour, limit: 10 }), 0)
    const { expiresAt } = (await storage.readCounter('failures'))!
    assert.equal(await storage.removeExpired({ kind: 'counters', before: expiresAt + 1, limit: 10 }), 1)
  })
}
