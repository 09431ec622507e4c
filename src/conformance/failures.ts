import assert from 'node:assert/strict'
import { day, makeFailure, now } from './fixtures.ts'
import { ascending, oneTo, rounds, type RegisterCase } from './harness.ts'

const { lapse } = makeFailure()

export function failureCases (register: RegisterCase): void {
  register('the first failure starts both counts', async ({ storage, other }) => {
    assert.deepEqual(await storage.countFailure(makeFailure()), { inWindow: 1, consecutive: 1 })
    const { key, lastAt, longFrom, longCount, shortCount, consecutiveFailures, expiresAt } = (await other.readCounter('failures'))!
    assert.deepEqual({ key, lastAt, longFrom, longCount, shortCount, consecutiveFailures }, {
      key: 'failures', lastAt: now, longFrom: now, longCount: 1, shortCount: 0, consecutiveFailures: 1
    })
    assert.ok(expiresAt >= now + lapse, 'it is kept until the consecutive failures no longer count')
  })

  register('failures are counted as numbers, not as text', async ({ storage }) => {
    for (const count of oneTo(12)) {
      assert.deepEqual(await storage.countFailure(makeFailure({ now: now + count })), { inWindow: count, consecutive: count })
    }
  })

  register('the window is fixed, and the number of consecutive failures continues after it', async ({ storage }) => {
    await storage.countFailure(makeFailure())
    assert.deepEqual(await storage.countFailure(makeFailure({ now: now + day - 1 })), { inWindow: 2, consecutive: 2 })
    assert.deepEqual(await storage.countFailure(makeFailure({ now: now + day })), { inWindow: 1, consecutive: 3 })
    assert.deepEqual(await storage.countFailure(makeFailure({ now: now + 2 * day - 1 })), { inWindow: 2, consecutive: 4 })
  })

  register('consecutive failures are counted from zero again when enough time has passed since the last one, not the first', async ({ storage }) => {
    await storage.countFailure(makeFailure())
    assert.equal((await storage.countFailure(makeFailure({ now: now + lapse - 1 }))).consecutive, 2)
    assert.equal((await storage.countFailure(makeFailure({ now: now + 2 * lapse - 2 }))).consecutive, 3)
    assert.equal((await storage.countFailure(makeFailure({ now: now + 3 * lapse - 2 }))).consecutive, 1)
  })

  register('a reset clears only the number of consecutive failures', async ({ storage }) => {
    await storage.countFailure(makeFailure())
    await storage.countFailure(makeFailure())
    const before = await storage.readCounter('failures')
    await storage.resetConsecutiveFailures('failures')
    assert.deepEqual(await storage.readCounter('failures'), { ...before, consecutiveFailures: 0 })
    assert.deepEqual(await storage.countFailure(makeFailure()), { inWindow: 3, consecutive: 1 })
  })

  register('a reset changes no other counter and creates none', async ({ storage }) => {
    await storage.countFailure(makeFailure())
    await storage.resetConsecutiveFailures('FAILURES')
    await storage.resetConsecutiveFailures('unknown')
    assert.equal(await storage.readCounter('unknown'), null)
    assert.deepEqual(await storage.countFailure(makeFailure()), { inWindow: 2, consecutive: 2 })
  })

  register('parallel failures are all counted and each returns a different count, for new and existing counters', async ({ race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const key = `failures-${round}`
      for (const [at, before] of [[now, 0], [now + 1, parallel]] as const) {
        const counts = await race((adapter) => adapter.countFailure(makeFailure({ key, now: at })))
        const expected = oneTo(parallel).map((count) => before + count)
        assert.deepEqual(ascending(counts.map(({ inWindow }) => inWindow)), expected)
        assert.deepEqual(ascending(counts.map(({ consecutive }) => consecutive)), expected)
      }
    }
  })
}
