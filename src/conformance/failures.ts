import assert from 'node:assert/strict'
import type { Failure } from '../storage/contract.ts'
import { ascending, now, oneTo, rounds, type RegisterCase } from './harness.ts'

const day = 86_400_000
const lapse = 30 * day

const aFailure = (given: Partial<Failure> = {}): Failure => ({ key: 'failures', now, window: day, lapse, ...given })

export function failureCases (register: RegisterCase): void {
  register('the first failure starts both counts', async ({ storage, other }) => {
    assert.deepEqual(await storage.countFailure(aFailure()), { inWindow: 1, consecutive: 1 })
    const { key, lastAt, longFrom, longCount, shortCount, consecutiveFailures, expiresAt } = (await other.readCounter('failures'))!
    assert.deepEqual({ key, lastAt, longFrom, longCount, shortCount, consecutiveFailures }, {
      key: 'failures', lastAt: now, longFrom: now, longCount: 1, shortCount: 0, consecutiveFailures: 1
    })
    assert.ok(expiresAt >= now + lapse, 'the count in a row matters until it lapses')
  })

  register('failures are counted as numbers past nine', async ({ storage }) => {
    for (const count of oneTo(12)) {
      assert.deepEqual(await storage.countFailure(aFailure({ now: now + count })), { inWindow: count, consecutive: count })
    }
  })

  register('the window is fixed, and the count in a row goes on past it', async ({ storage }) => {
    await storage.countFailure(aFailure())
    assert.deepEqual(await storage.countFailure(aFailure({ now: now + day - 1 })), { inWindow: 2, consecutive: 2 })
    assert.deepEqual(await storage.countFailure(aFailure({ now: now + day })), { inWindow: 1, consecutive: 3 })
    assert.deepEqual(await storage.countFailure(aFailure({ now: now + 2 * day - 1 })), { inWindow: 2, consecutive: 4 })
  })

  register('the count in a row lapses after the last failure, not the first', async ({ storage }) => {
    await storage.countFailure(aFailure())
    assert.equal((await storage.countFailure(aFailure({ now: now + lapse - 1 }))).consecutive, 2)
    assert.equal((await storage.countFailure(aFailure({ now: now + 2 * lapse - 2 }))).consecutive, 3)
    assert.equal((await storage.countFailure(aFailure({ now: now + 3 * lapse - 2 }))).consecutive, 1)
  })

  register('a success clears the count in a row alone', async ({ storage }) => {
    await storage.countFailure(aFailure())
    await storage.countFailure(aFailure())
    const before = await storage.readCounter('failures')
    await storage.resetConsecutiveFailures('failures')
    assert.deepEqual(await storage.readCounter('failures'), { ...before, consecutiveFailures: 0 })
    assert.deepEqual(await storage.countFailure(aFailure()), { inWindow: 3, consecutive: 1 })
  })

  register('a success clears nobody else, and makes no budget', async ({ storage }) => {
    await storage.countFailure(aFailure())
    await storage.resetConsecutiveFailures('FAILURES')
    await storage.resetConsecutiveFailures('unknown')
    assert.equal(await storage.readCounter('unknown'), null)
    assert.deepEqual(await storage.countFailure(aFailure()), { inWindow: 2, consecutive: 2 })
  })

  register('parallel failures lose none and each sees a count of its own, a fresh key or not', async ({ race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const key = `failures-${round}`
      for (const [at, before] of [[now, 0], [now + 1, parallel]] as const) {
        const counts = await race((adapter) => adapter.countFailure(aFailure({ key, now: at })))
        const expected = oneTo(parallel).map((count) => before + count)
        assert.deepEqual(ascending(counts.map(({ inWindow }) => inWindow)), expected)
        assert.deepEqual(ascending(counts.map(({ consecutive }) => consecutive)), expected)
      }
    }
  })
}
