import assert from 'node:assert/strict'
import type { CounterDecrement, CounterIncrement } from '../storage/contract.ts'
import { now, oneTo, rounds, type RegisterCase } from './harness.ts'

const hour = 3_600_000
const day = 24 * hour

const aTake = (given: Partial<CounterIncrement> = {}): CounterIncrement => ({
  key: 'counter',
  now,
  cooldown: 0,
  short: { length: hour, limit: 3 },
  long: { length: day, limit: 5 },
  ...given
})

const aRefund = (given: Partial<CounterDecrement> = {}): CounterDecrement =>
  ({ key: 'counter', takenAt: now, cooldown: true, counts: true, ...given })

export function counterCases (register: RegisterCase): void {
  takeCases(register)
  takeRaces(register)
  refundCases(register)
}

function takeCases (register: RegisterCase): void {
  register('the first taking is admitted and starts both windows', async ({ storage, other }) => {
    assert.equal(await storage.readCounter('counter'), null)
    assert.equal(await storage.incrementCounter(aTake()), true)
    const { expiresAt, ...counter } = (await other.readCounter('counter'))!
    assert.deepEqual(counter, {
      key: 'counter', lastAt: now, shortFrom: now, shortCount: 1, longFrom: now, longCount: 1, consecutiveFailures: 0
    })
    assert.ok(expiresAt >= now + day, 'it matters until its long window ends')
  })

  register('budget keys are told apart by case and may be long', async ({ storage }) => {
    const key = 'k'.repeat(100)
    await storage.incrementCounter(aTake({ key }))
    assert.equal(await storage.readCounter(key.toUpperCase()), null)
    assert.equal(await storage.incrementCounter(aTake({ key: key.toUpperCase() })), true)
    assert.equal((await storage.readCounter(key))!.shortCount, 1)
  })

  register('a window admits its limit and no more', async ({ storage }) => {
    for (const limit of [1, 3]) {
      for (const window of ['short', 'long'] as const) {
        const take = aTake({ key: `${window}-${limit}`, short: { length: hour, limit: 99 }, long: { length: day, limit: 99 } })
        take[window] = { ...take[window], limit }
        for (const event of oneTo(limit + 1)) assert.equal(await storage.incrementCounter(take), event <= limit)
      }
    }
  })

  register('a limit may be as large as a safe integer, for a window without one', async ({ storage }) => {
    const unlimited = { length: day, limit: Number.MAX_SAFE_INTEGER }
    for (const take of [aTake({ short: unlimited }), aTake({ key: 'other', long: unlimited })]) {
      for (const event of oneTo(2)) assert.equal(await storage.incrementCounter(take), true, `event ${event}`)
    }
  })

  register('a window with a limit of zero admits nothing, the first taking neither', async ({ storage }) => {
    const none = { length: hour, limit: 0 }
    assert.equal(await storage.incrementCounter(aTake({ short: none })), false)
    assert.equal(await storage.incrementCounter(aTake({ long: none })), false)
    assert.equal(await storage.incrementCounter(aTake()), true)
    assert.equal(await storage.incrementCounter(aTake({ short: none, now: now + hour })), false)
    assert.equal(await storage.incrementCounter(aTake({ long: none, now: now + day })), false)
    const { shortCount, longCount } = (await storage.readCounter('counter'))!
    assert.deepEqual({ shortCount, longCount }, { shortCount: 1, longCount: 1 })
  })

  register('a cool-down is over when its last millisecond is', async ({ storage }) => {
    const cooldown = 60_000
    assert.equal(await storage.incrementCounter(aTake({ cooldown })), true)
    assert.equal(await storage.incrementCounter(aTake({ cooldown })), false)
    assert.equal(await storage.incrementCounter(aTake({ cooldown, now: now + cooldown - 1 })), false)
    assert.equal(await storage.incrementCounter(aTake({ cooldown, now: now + cooldown })), true)
    assert.equal(await storage.incrementCounter(aTake({ cooldown, now: now + 2 * cooldown - 1 })), false, 'each event starts it anew')
  })

  register('windows are fixed and start at their first event', async ({ storage }) => {
    const take = (at: number) => storage.incrementCounter(aTake({ now: now + at }))
    assert.equal(await take(0), true)
    assert.equal(await take(hour - 2), true)
    assert.equal(await take(hour - 1), true)
    assert.equal(await take(hour - 1), false)
    assert.equal(await take(hour), true, 'the next short window')
    assert.equal(await take(hour + 1), true)
    assert.equal(await take(hour + 2), false, 'the long window is full')
    assert.equal(await take(day - 1), false)
    assert.equal(await take(day), true)
    const { expiresAt, ...counter } = (await storage.readCounter('counter'))!
    assert.deepEqual(counter, {
      key: 'counter', lastAt: now + day, shortFrom: now + day, shortCount: 1, longFrom: now + day, longCount: 1, consecutiveFailures: 0
    })
    assert.ok(expiresAt >= now + 2 * day)
  })

  register('a refusal changes nothing, whichever counter refused', async ({ storage }) => {
    const full = { length: hour, limit: 2 }
    await storage.incrementCounter(aTake())
    await storage.incrementCounter(aTake({ now: now + 1 }))
    const before = await storage.readCounter('counter')
    assert.equal(await storage.incrementCounter(aTake({ now: now + 2, cooldown: 60_000 })), false)
    assert.equal(await storage.incrementCounter(aTake({ now: now + 2, short: full })), false)
    assert.equal(await storage.incrementCounter(aTake({ now: now + hour, long: { length: day, limit: 2 } })), false)
    assert.equal(await storage.incrementCounter(aTake({ now: now + day, cooldown: 2 * day })), false)
    assert.deepEqual(await storage.readCounter('counter'), before)
  })

  register('without a cool-down a clock that stepped back is admitted, and shortens nothing', async ({ storage }) => {
    await storage.incrementCounter(aTake())
    assert.equal(await storage.incrementCounter(aTake({ now: now - hour })), true)
    assert.equal(await storage.incrementCounter(aTake({ now: now - hour, cooldown: 1 })), false)
    const { shortCount, longCount, expiresAt } = (await storage.readCounter('counter'))!
    assert.deepEqual({ shortCount, longCount }, { shortCount: 2, longCount: 2 })
    assert.ok(expiresAt >= now + day)
  })

  register('events are counted as numbers past nine', async ({ storage }) => {
    const wide = { length: day, limit: 12 }
    for (const count of oneTo(12)) {
      assert.equal(await storage.incrementCounter(aTake({ short: wide, long: wide })), true)
      const { shortCount, longCount } = (await storage.readCounter('counter'))!
      assert.deepEqual({ shortCount, longCount }, { shortCount: count, longCount: count })
    }
    assert.equal(await storage.incrementCounter(aTake({ short: wide, long: wide })), false)
  })
}

function takeRaces (register: RegisterCase): void {
  const narrow = { length: hour, limit: 7 }
  const wide = { length: day, limit: 1_000 }

  register('of parallel takings exactly the limit of either window is admitted, a fresh key or not', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const key = `counter-${round}`
      const windows = round % 2 === 1 ? { short: narrow, long: wide } : { short: wide, long: narrow }
      for (const at of [now, now + day]) {
        const admitted = await race((adapter) => adapter.incrementCounter(aTake({ key, now: at, ...windows })))
        assert.equal(admitted.filter(Boolean).length, narrow.limit)
        const { shortCount, longCount } = (await storage.readCounter(key))!
        assert.deepEqual({ shortCount, longCount }, { shortCount: narrow.limit, longCount: narrow.limit })
      }
    }
  })

  register('parallel takings that all find room are all admitted', async ({ storage, race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const key = `counter-${round}`
      const admitted = await race((adapter) => adapter.incrementCounter(aTake({ key, short: wide, long: wide })))
      assert.equal(admitted.filter(Boolean).length, parallel)
      assert.equal((await storage.readCounter(key))!.longCount, parallel)
    }
  })

  register('of parallel takings within one cool-down one is admitted, a fresh key or not', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const key = `counter-${round}`
      for (const at of [now, now + 60_000]) {
        const admitted = await race((adapter) =>
          adapter.incrementCounter(aTake({ key, now: at, cooldown: 60_000, short: wide, long: wide })))
        assert.equal(admitted.filter(Boolean).length, 1)
      }
      assert.equal((await storage.readCounter(key))!.shortCount, 2)
    }
  })
}

function refundCases (register: RegisterCase): void {
  register('a refund gives back what was taken: the counts, the cool-down, or both', async ({ storage }) => {
    for (const [cooldown, counts] of [[true, true], [true, false], [false, true], [false, false]] as const) {
      const key = `counter-${cooldown}-${counts}`
      const full = { length: hour, limit: 1 }
      await storage.incrementCounter(aTake({ key }))
      await storage.decrementCounter(aRefund({ key, cooldown, counts }))
      const { lastAt, shortCount, longCount } = (await storage.readCounter(key))!
      assert.equal(lastAt, cooldown ? 0 : now)
      assert.deepEqual([shortCount, longCount], counts ? [0, 0] : [1, 1])
      assert.equal(await storage.incrementCounter(aTake({ key, cooldown: 60_000, short: full })), cooldown && counts)
    }
  })

  register('a refund leaves the cool-down of a later event', async ({ storage }) => {
    await storage.incrementCounter(aTake())
    await storage.incrementCounter(aTake({ now: now + 1 }))
    await storage.decrementCounter(aRefund())
    const { lastAt, shortCount, longCount } = (await storage.readCounter('counter'))!
    assert.deepEqual({ lastAt, shortCount, longCount }, { lastAt: now + 1, shortCount: 1, longCount: 1 })
  })

  register('a refund leaves a later window alone', async ({ storage }) => {
    await storage.incrementCounter(aTake())
    await storage.incrementCounter(aTake({ now: now + hour }))
    await storage.decrementCounter(aRefund())
    const { shortCount, longCount } = (await storage.readCounter('counter'))!
    assert.deepEqual({ shortCount, longCount }, { shortCount: 1, longCount: 1 })
    await storage.incrementCounter(aTake({ now: now + day }))
    await storage.decrementCounter(aRefund({ takenAt: now + hour }))
    assert.equal((await storage.readCounter('counter'))!.longCount, 1)
  })

  register('counters never fall below zero', async ({ storage }) => {
    await storage.incrementCounter(aTake())
    await storage.decrementCounter(aRefund())
    await storage.decrementCounter(aRefund())
    const { shortCount, longCount } = (await storage.readCounter('counter'))!
    assert.deepEqual({ shortCount, longCount }, { shortCount: 0, longCount: 0 })
  })

  register('a refund of an unknown budget makes none', async ({ storage }) => {
    await storage.decrementCounter(aRefund())
    assert.equal(await storage.readCounter('counter'), null)
  })

  register('parallel refunds lose none and stop at zero', async ({ storage, race, parallel }) => {
    const wide = { length: day, limit: 1_000 }
    const take = aTake({ short: wide, long: wide })
    await race((adapter) => adapter.incrementCounter(take))
    for (const expected of [1, 0]) {
      await storage.incrementCounter(take)
      await race((adapter) => adapter.decrementCounter(aRefund()))
      const { shortCount, longCount } = (await storage.readCounter('counter'))!
      assert.deepEqual({ shortCount, longCount }, { shortCount: expected, longCount: expected }, `after ${parallel} refunds`)
    }
  })
}
