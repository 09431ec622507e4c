import t from 'tap'
import { MemoryStore } from '../../../src/ip-limits/stores.ts'

t.test('the memory store keeps the last 50,000 windows of a limit, and at most twice as many', async (t) => {
  // Replaced by hand, because `t.intercept` keeps a record of every call.
  const system = Date.now
  let now = 1_790_000_000_000
  t.teardown(() => { Date.now = system })
  Date.now = () => now
  const store = new MemoryStore()
  const count = (key: number) => {
    let counted = 0
    store.incr(`${key}`, (_error, result) => { counted = result!.current }, 1000, 1)
    return counted
  }
  const twice: number[] = []
  for (let key = 0; key < 100_000; key++) if (count(key) !== 1) twice.push(key)
  t.strictSame(twice, [])
  t.strictSame([count(0), count(49_999), count(50_000), count(99_999)], [2, 2, 2, 2], 'all 100,000 are kept')
  t.equal(count(100_000), 1)
  t.strictSame([count(50_000), count(99_999)], [3, 3], 'the last 50,000 are kept')
  t.strictSame([count(0), count(49_999)], [1, 1], 'earlier ones are forgotten')

  now += 999
  t.strictSame([count(99_999), count(100_000)], [4, 2])
  now += 1
  t.strictSame([count(99_999), count(100_000)], [1, 1], 'the window has ended')
  now += 999
  t.strictSame([count(99_999), count(100_000)], [2, 2], 'a new window began when the last one ended')
})
