import assert from 'node:assert/strict'
import type { ExpiringKind, OtpAuthStorage } from '../storage/contract.ts'
import { aChallenge } from './challenges.ts'
import { now, oneTo, type RegisterCase } from './harness.ts'
import { aSession } from './sessions.ts'

const hour = 3_600_000

/** Stores something of a kind, and says when it expires and whether it is still there. */
type Store = (storage: OtpAuthStorage, id: string, userId: string) => Promise<Stored>

interface Stored {
  expiresAt: number
  isThere: () => Promise<boolean>
}

const kinds: Record<ExpiringKind, Store> = {
  challenges: async (storage, id) => {
    await storage.insertChallenge(aChallenge({ id, expiresAt: now }))
    return { expiresAt: now, isThere: async () => await storage.findChallenge(id) !== null }
  },
  counters: async (storage, id) => {
    const window = { length: hour, limit: 5 }
    await storage.incrementCounter({ key: id, now, cooldown: 0, short: window, long: window })
    const { expiresAt } = (await storage.readCounter(id))!
    return { expiresAt, isThere: async () => await storage.readCounter(id) !== null }
  },
  sessions: async (storage, id, userId) => {
    await storage.insertSession(aSession({ id, userId, idleExpiresAt: now, revokedAt: now - 1 }))
    return { expiresAt: now, isThere: async () => await storage.loadSession({ sessionId: id, userId }) !== null }
  }
}

export function cleanupCases (register: RegisterCase): void {
  for (const [kind, store] of Object.entries(kinds) as [ExpiringKind, Store][]) {
    register(`of ${kind} those are removed that expired before a moment, and no other kind`, async ({ storage, insertUserRow }) => {
      const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
      const stored = await store(storage, 'one', userId)
      const others = Object.keys(kinds).filter((other) => other !== kind) as ExpiringKind[]
      const otherRows = await Promise.all(others.map((other) => kinds[other](storage, 'other', userId)))

      assert.equal(await storage.removeExpired({ kind, before: stored.expiresAt, limit: 10 }), 0)
      assert.equal(await stored.isThere(), true)
      assert.equal(await storage.removeExpired({ kind, before: stored.expiresAt + 1, limit: 10 }), 1)
      assert.equal(await stored.isThere(), false)
      assert.equal(await storage.removeExpired({ kind, before: stored.expiresAt + 1, limit: 10 }), 0)
      for (const row of otherRows) assert.equal(await row.isThere(), true)
    })

    register(`of ${kind} no more than the limit are removed at a time`, async ({ storage, insertUserRow }) => {
      const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
      const stored: Stored[] = []
      for (const number of oneTo(12)) stored.push(await store(storage, `number-${number}`, userId))
      for (const [removed, left] of [[5, 7], [5, 2], [2, 0], [0, 0]]) {
        assert.equal(await storage.removeExpired({ kind, before: stored[0]!.expiresAt + 1, limit: 5 }), removed)
        const there = await Promise.all(stored.map(({ isThere }) => isThere()))
        assert.equal(there.filter(Boolean).length, left)
      }
    })

    register(`parallel removals of ${kind} count each row once`, async ({ storage, race, insertUserRow }) => {
      const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
      const stored: Stored[] = []
      for (const number of oneTo(12)) stored.push(await store(storage, `number-${number}`, userId))
      const removal = { kind, before: stored[0]!.expiresAt + 1, limit: 100 }
      const counts = await race((adapter) => adapter.removeExpired(removal))
      counts.push(await storage.removeExpired(removal))
      assert.equal(counts.reduce((sum, count) => sum + count, 0), 12)
    })
  }

  register('a session that was refreshed is kept until its new expiry', async ({ storage, insertUserRow }) => {
    const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
    await storage.insertSession(aSession({ userId, idleExpiresAt: now + 1 }))
    await storage.rotateSession({ id: 'session', seq: 0, now, rotatedBefore: now, idleExpiresAt: now + hour })
    assert.equal(await storage.removeExpired({ kind: 'sessions', before: now + hour, limit: 10 }), 0)
    assert.equal(await storage.removeExpired({ kind: 'sessions', before: now + hour + 1, limit: 10 }), 1)
  })

  register('a challenge that was renewed is kept until its new expiry', async ({ storage }) => {
    await storage.insertChallenge(aChallenge({ expiresAt: now + 1 }))
    await storage.renewChallenge({ ...aChallenge({ codeMac: 'mac-2', expiresAt: now + hour }), now })
    assert.equal(await storage.removeExpired({ kind: 'challenges', before: now + hour, limit: 10 }), 0)
    assert.equal(await storage.removeExpired({ kind: 'challenges', before: now + hour + 1, limit: 10 }), 1)
  })

  register('a budget is kept while its count of failures in a row matters', async ({ storage }) => {
    await storage.countFailure({ key: 'failures', now, window: hour, lapse: 30 * hour })
    assert.equal(await storage.removeExpired({ kind: 'counters', before: now + 30 * hour, limit: 10 }), 0)
    const { expiresAt } = (await storage.readCounter('failures'))!
    assert.equal(await storage.removeExpired({ kind: 'counters', before: expiresAt + 1, limit: 10 }), 1)
  })
}
