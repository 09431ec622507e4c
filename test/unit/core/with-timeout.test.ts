import t from 'tap'
import { MAX_TIMER_DELAY, withTimeout } from '../../../src/core/with-timeout.ts'

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

t.test('what comes in time is the outcome, and no timer is left', async (t) => {
  const before = timers()
  t.equal(await withTimeout(Promise.resolve('done'), 60_000, 'too late'), 'done')
  await t.rejects(withTimeout(Promise.reject(new Error('failed')), 60_000, 'too late'), { message: 'failed' })
  t.equal(timers(), before)
})

t.test('what does not come in time is the error with the message; its own comes to nobody, late as it is', async (t) => {
  let fail!: (error: Error) => void
  const work = new Promise<never>((_resolve, reject) => { fail = reject })
  await t.rejects(withTimeout(work, 1, 'too late'), { message: 'too late' })
  let unhandled = 0
  const count = () => { unhandled++ }
  process.on('unhandledRejection', count)
  t.teardown(() => process.off('unhandledRejection', count))
  fail(new Error('too late for anybody'))
  await new Promise(setImmediate)
  t.equal(unhandled, 0)
})

t.test('the longest timer is one that Node keeps, and a longer one is not', async (t) => {
  const warnings: string[] = []
  const hear = ({ name }: Error) => { warnings.push(name) }
  process.on('warning', hear)
  t.teardown(() => process.off('warning', hear))
  for (const timeout of [MAX_TIMER_DELAY, MAX_TIMER_DELAY + 1]) {
    const timer = setTimeout(() => {}, timeout)
    await new Promise(setImmediate)
    clearTimeout(timer)
    t.strictSame(warnings, timeout === MAX_TIMER_DELAY ? [] : ['TimeoutOverflowWarning'])
  }
})
