import t from 'tap'
import { MAX_TIMER_DELAY, withTimeout } from '../../../src/core/with-timeout.ts'

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

t.test('work that ends in time gives its own result or error, and no timer is left', async (t) => {
  const before = timers()
  t.equal(await withTimeout(Promise.resolve('done'), 60_000, 'too late'), 'done')
  await t.rejects(withTimeout(Promise.reject(new Error('failed')), 60_000, 'too late'), { message: 'failed' })
  t.equal(timers(), before)
})

t.test('work that does not end in time rejects with the given message, and its own late error is not an unhandled rejection', async (t) => {
  let fail!: (error: Error) => void
  const work = new Promise<never>((_resolve, reject) => { fail = reject })
  await t.rejects(withTimeout(work, 1, 'too late'), { message: 'too late' })
  let unhandled = 0
  const count = () => { unhandled++ }
  process.on('unhandledRejection', count)
  t.teardown(() => process.off('unhandledRejection', count))
  fail(new Error('a late error'))
  await new Promise(setImmediate)
  t.equal(unhandled, 0)
})

t.test('MAX_TIMER_DELAY is the longest delay that Node accepts without a warning', async (t) => {
  const warnings: string[] = []
  const listen = ({ name }: Error) => { warnings.push(name) }
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  for (const timeout of [MAX_TIMER_DELAY, MAX_TIMER_DELAY + 1]) {
    const timer = setTimeout(() => {}, timeout)
    await new Promise(setImmediate)
    clearTimeout(timer)
    t.strictSame(warnings, timeout === MAX_TIMER_DELAY ? [] : ['TimeoutOverflowWarning'])
  }
})
