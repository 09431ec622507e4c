import assert from 'node:assert/strict'
import { day, hour, makeDecrement, makeIncrement, now } from './fixtures.ts'
import { oneTo, rounds, type RegisterCase } from './harness.ts'

export function counterCases (register: RegisterCase): void {
  incrementCases(register)
  incrementRaces(register)
  decrementCases(register)
}

function incrementCases (register: RegisterCase): void {
  register('the first event is counted and starts both windows', async ({ storage, other }) => {
    assert.equal(await storage.readCounter('counter'), null)
    assert.equal(await storage.incrementCounter(makeIncrement()), true)
    const { expiresAt, ...counter } = (await other.readCounter('counter'))!
    assert.deepEqual(counter, {
      key: 'counter', lastAt: now, shortFrom: now, shortCount: 1, longFrom: now, longCount: 1, consecutiveFailures: 0
    })
    assert.ok(expiresAt >= now + day, 'it is kept until its long window ends')
  })

  register('counter keys are case-sensitive and may be long', async ({ storage }) => {
    const key = 'k'.repeat(100)
    await storage.incrementCounter(makeIncrement({ key }))
    assert.equal(await storage.readCounter(key.toUpperCase()), null)
    assert.equal(await storage.incrementCounter(makeIncrement({ key: key.toUpperCase() })), true)
    assert.equal((await storage.readCounter(key))!.shortCount, 1)
  })

  register('a window counts events up to its limit and no more', async ({ storage }) => {
    for (const limit of [1, 3]) {
      for (const window of ['short', 'long'] as const) {
        const increment = makeIncrement({ key: `${window}-${limit}`, short: { length: hour, limit: 99 }, long: { length: day, limit: 99 } })
        increment[window] = { ...increment[window], limit }
        for (const event of oneTo(limit + 1)) assert.equal(await storage.incrementCounter(increment), event <= limit)
      }
    }
  })

  register('a limit may be the largest safe integer, which means no limit', async ({ storage }) => {
    const unlimited = { length: day, limit: Number.MAX_SAFE_INTEGER }
    for (const increment of [makeIncrement({ short: unlimited }), makeIncrement({ key: 'other', long: unlimited })]) {
      for (const event of oneTo(2)) assert.equal(await storage.incrementCounter(increment), true, `event ${event}`)
    }
  })

  register('a window with a limit of 0 counts no event, not even the first', async ({ storage }) => {
    const none = { length: hour, limit: 0 }
    assert.equal(await storage.incrementCounter(makeIncrement({ short: none })), false)
    assert.equal(await storage.incrementCounter(makeIncrement({ long: none })), false)
    assert.equal(await storage.incrementCounter(makeIncrement()), true)
    assert.equal(await storage.incrementCounter(makeIncrement({ short: none, now: now + hour })), false)
    assert.equal(await storage.incrementCounter(makeIncrement({ long: none, now: now + day })), false)
    const { shortCount, longCount } = (await storage.readCounter('counter'))!
    assert.deepEqual({ shortCount, longCount }, { shortCount: 1, longCount: 1 })
  })

  register('a cooldown ends at the exact millisecond', async ({ storage }) => {
    const cooldown = 60_000
    assert.equal(await storage.incrementCounter(makeIncrement({ cooldown })), true)
    assert.equal(await storage.incrementCounter(makeIncrement({ cooldown })), false)
    assert.equal(await storage.incrementCounter(makeIncrement({ cooldown, now: now + cooldown - 1 })), false)
    assert.equal(await storage.incrementCounter(makeIncrement({ cooldown, now: now + cooldown })), true)
    assert.equal(await storage.incrementCounter(makeIncrement({ cooldown, now: now + 2 * cooldown - 1 })), false, 'each event starts it again')
  })

  register('windows are fixed and start with their first event', async ({ storage }) => {
    const countAfter = (elapsed: number) => storage.incrementCounter(makeIncrement({ now: now + elapsed }))
    assert.equal(await countAfter(0), true)
    assert.equal(await countAfter(hour - 2), true)
    assert.equal(await countAfter(hour - 1), true)
    assert.equal(await countAfter(hour - 1), false)
    assert.equal(await countAfter(hour), true, 'the next short window')
    assert.equal(await countAfter(hour + 1), true)
    assert.equal(await countAfter(hour + 2), false, 'the long window is full')
    assert.equal(await countAfter(day - 1), false)
    assert.equal(await countAfter(day), true)
    const { expiresAt, ...counter } = (await storage.readCounter('counter'))!
    assert.deepEqual(counter, {
      key: 'counter', lastAt: now + day, shortFrom: now + day, shortCount: 1, longFrom: now + day, longCount: 1, consecutiveFailures: 0
    })
    assert.ok(expiresAt >= now + 2 * day)
  })

  register('a refused event changes nothing, whether a window or the cooldown refused it', async ({ storage }) => {
    const full = { length: hour, limit: 2 }
    await storage.incrementCounter(makeIncrement())
    await storage.incrementCounter(makeIncrement({ now: now + 1 }))
    const before = await storage.readCounter('counter')
    assert.equal(await storage.incrementCounter(makeIncrement({ now: now + 2, cooldown: 60_000 })), false)
    assert.equal(await storage.incrementCounter(makeIncrement({ now: now + 2, short: full })), false)
    assert.equal(await storage.incrementCounter(makeIncrement({ now: now + hour, long: { length: day, limit: 2 } })), false)
    assert.equal(await storage.incrementCounter(makeIncrement({ now: now + day, cooldown: 2 * day })), false)
    assert.deepEqual(await storage.readCounter('counter'), before)
  })

  register('if the clock moved back and there is no cooldown, an event is counted and the counter does not expire earlier', async ({ storage }) => {
    await storage.incrementCounter(makeIncrement())
    assert.equal(await storage.incrementCounter(makeIncrement({ now: now - hour })), true)
    assert.equal(await storage.incrementCounter(makeIncrement({ now: now - hour, cooldown: 1 })), false)
    const { shortCount, longCount, expiresAt } = (await storage.readCounter('counter'))!
    assert.deepEqual({ shortCount, longCount }, { shortCount: 2, longCount: 2 })
    assert.ok(expiresAt >= now + day)
  })

  register('events are counted as numbers, not as text', async ({ storage }) => {
    const wide = { length: day, limit: 12 }
    for (const count of oneTo(12)) {
      assert.equal(await storage.incrementCounter(makeIncrement({ short: wide, long: wide })), true)
      const { shortCount, longCount } = (await storage.readCounter('counter'))!
      assert.deepEqual({ shortCount, longCount }, { shortCount: count, longCount: count })
    }
    assert.equal(await storage.incrementCounter(makeIncrement({ short: wide, long: wide })), false)
  })
}

function incrementRaces (register: RegisterCase): void {
  const narrow = { length: hour, limit: 7 }
  const wide = { length: day, limit: 1_000 }

  register('parallel increments are counted up to the lower of the two limits, for new and existing counters', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const key = `counter-${round}`
      const windows = round % 2 === 1 ? { short: narrow, long: wide } : { short: wide, long: narrow }
      for (const at of [now, now + day]) {
        const counted = await race((adapter) => adapter.incrementCounter(makeIncrement({ key, now: at, ...windows })))
        assert.equal(counted.filter(Boolean).length, narrow.limit)
        const { shortCount, longCount } = (await storage.readCounter(key))!
        assert.deepEqual({ shortCount, longCount }, { shortCount: narrow.limit, longCount: narrow.limit })
      }
    }
  })

  register('parallel increments below the limits are all counted', async ({ storage, race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const key = `counter-${round}`
      const counted = await race((adapter) => adapter.incrementCounter(makeIncrement({ key, short: wide, long: wide })))
      assert.equal(counted.filter(Boolean).length, parallel)
      assert.equal((await storage.readCounter(key))!.longCount, parallel)
    }
  })

  register('only one of many parallel increments within a cooldown is counted, for new and existing counters', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const key = `counter-${round}`
      for (const at of [now, now + 60_000]) {
        const counted = await race((adapter) =>
          adapter.incrementCounter(makeIncrement({ key, now: at, cooldown: 60_000, short: wide, long: wide })))
        assert.equal(counted.filter(Boolean).length, 1)
      }
      assert.equal((await storage.readCounter(key))!.shortCount, 2)
    }
  })
}

function decrementCases (register: RegisterCase): void {
  register('a decrement undoes the counts, the cooldown, both or neither', async ({ storage }) => {
    for (const [cooldown, counts] of [[true, true], [true, false], [false, true], [false, false]] as const) {
      const key = `counter-${cooldown}-${counts}`
      const full = { length: hour, limit: 1 }
      await storage.incrementCounter(makeIncrement({ key }))
      await storage.decrementCounter(makeDecrement({ key, cooldown, counts }))
      const { lastAt, shortCount, longCount } = (await storage.readCounter(key))!
      assert.equal(lastAt, cooldown ? 0 : now)
      assert.deepEqual([shortCount, longCount], counts ? [0, 0] : [1, 1])
      assert.equal(await storage.incrementCounter(makeIncrement({ key, cooldown: 60_000, short: full })), cooldown && counts)
    }
  })

  register('a decrement keeps the cooldown of a later event', async ({ storage }) => {
    await storage.incrementCounter(makeIncrement())
    await storage.incrementCounter(makeIncrement({ now: now + 1 }))
    await storage.decrementCounter(makeDecrement())
    const { lastAt, shortCount, longCount } = (await storage.readCounter('counter'))!
    assert.deepEqual({ lastAt, shortCount, longCount }, { lastAt: now + 1, shortCount: 1, longCount: 1 })
  })

  register('a decrement does not change a window that started later', async ({ storage }) => {
    await storage.incrementCounter(makeIncrement())
    await storage.incrementCounter(makeIncrement({ now: now + hour }))
    await storage.decrementCounter(makeDecrement())
    const { shortCount, longCount } = (await storage.readCounter('counter'))!
    assert.deepEqual({ shortCount, longCount }, { shortCount: 1, longCount: 1 })
    await storage.incrementCounter(makeIncrement({ now: now + day }))
    await storage.decrementCounter(makeDecrement({ takenAt: now + hour }))
    assert.equal((await storage.readCounter('counter'))!.longCount, 1)
  })

  register('counts never fall below zero', async ({ storage }) => {
    await storage.incrementCounter(makeIncrement())
    await storage.decrementCounter(makeDecrement())
    await storage.decrementCounter(makeDecrement())
    const { shortCount, longCount } = (await storage.readCounter('counter'))!
    assert.deepEqual({ shortCount, longCount }, { shortCount: 0, longCount: 0 })
  })

  register('a decrement of an unknown counter creates no counter', async ({ storage }) => {
    await storage.decrementCounter(makeDecrement())
    assert.equal(await storage.readCounter('counter'), null)
  })

  register('parallel decrements all take effect and stop at zero', async ({ storage, race, parallel }) => {
    const wide = { length: day, limit: 1_000 }
    const increment = makeIncrement({ short: wide, long: wide })
    await race((adapter) => adapter.incrementCounter(increment))
    for (const expected of [1, 0]) {
      await storage.incrementCounter(increment)
      await race((adapter) => adapter.decrementCounter(makeDecrement()))
      const { shortCount, longCount } = (await storage.readCounter('counter'))!
      assert.deepEqual({ shortCount, longCount }, { shortCount: expected, longCount: expected }, `after ${parallel} decrements`)
    }
  })
}
