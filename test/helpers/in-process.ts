/** Runs tap's tests of many files in one process, without the start of Node, Fastify and Drizzle for each file. */
import { Test, t as root } from 'tap'

/** A call that a test file makes on tap's root, at its top level: a test, or a hook around its tests. */
export interface Call {
  method: typeof methods[number]
  args: unknown[]
}

export interface Failure {
  /** The test, its subtests and the assertion. */
  name: string
  /** What tap says of it: a diff, a stack. */
  details: Record<string, unknown>
}

export interface Outcome {
  failures: Failure[]
  /** Skipped tests and assertions, and those marked as todo. */
  skips: Array<{ name: string, reason: string }>
  assertions: number
}

const methods = ['test', 'spawn', 'beforeEach', 'afterEach', 'teardown'] as const

/** In milliseconds, for a test that sets no `timeout`. */
const TIMEOUT = 60_000

/** Imports a test file. Its tests and hooks are noted down instead of run. */
export async function callsOf (importFile: () => Promise<unknown>): Promise<Call[]> {
  endNoProcess()
  const calls: Call[] = []
  const originals = methods.map((method) => [method, root[method]] as const)
  for (const method of methods) Object.assign(root, { [method]: (...args: unknown[]) => { calls.push({ method, args }) } })
  try {
    await importFile()
  } finally {
    Object.assign(root, Object.fromEntries(originals))
  }
  return calls
}

/** Turns off the timeout of tap's root, which runs nothing here. It would tell the parent process, but that one may not be tap. */
function endNoProcess (): void {
  const { send } = process
  process.send = undefined
  root.setTimeout(0)
  process.send = send
}

/** Runs tests one after the other, with their subtests and hooks. An error that nothing in them catches is a failure, too. */
export async function run (name: string, calls: readonly Call[]): Promise<Outcome> {
  const outcome: Outcome = { failures: [], skips: [], assertions: 0 }
  const listenerCount = process.listenerCount('uncaughtException')
  const stray = (error: unknown) => {
    // A test that expects one listens itself.
    if (process.listenerCount('uncaughtException') > listenerCount + 1) return
    outcome.failures.push({ name: `outside of the tests: ${error}`, details: error instanceof Error ? { stack: error.stack } : {} })
  }
  process.on('uncaughtException', stray).on('unhandledRejection', stray)
  // Keeps the process alive while a test waits for something that never comes: tap's own timeout does not.
  const wait = setInterval(() => {}, 1000)
  // This test belongs to no other test. It is the one that fails if a teardown throws.
  const outer = new Test({ name, timeout: 0, cb: async (t) => { for (const call of calls) await replay(t as never, call) } })
  watch(outer, outcome)
  outer.resume()
  await new Promise<void>((resolve) => { outer.runMain(resolve) })
  clearInterval(wait)
  process.off('uncaughtException', stray).off('unhandledRejection', stray)
  return outcome
}

async function replay (t: Record<Call['method'], (...args: unknown[]) => unknown>, { method, args }: Call): Promise<void> {
  const [name, options] = args
  if (method === 'test') args = [name, { timeout: TIMEOUT, ...(typeof options === 'object' && options) }, args.at(-1)]
  await t[method](...args)
}

/** Writes down what happens in the test and in its subtests. A test that fails because of a subtest is not one more failure. */
function watch ({ parser }: Pick<Test, 'parser'>, outcome: Outcome): void {
  function note (one: typeof parser, path: string[]): void {
    /** Failures in the subtest that just ended and whose result comes next. */
    let inSubtest: number | undefined
    one.on('child', (child) => {
      const before = outcome.failures.length
      note(child, [...path, child.name])
      child.on('complete', () => { inSubtest = outcome.failures.length - before })
    })
    one.on('assert', ({ ok, name, diag, skip, todo }) => {
      const fullName = [...path, name].join(' > ')
      if (skip || todo) outcome.skips.push({ name: fullName, reason: String(skip || todo) })
      else if (!ok && !inSubtest) outcome.failures.push({ name: fullName, details: diag ?? {} })
      else if (inSubtest === undefined) outcome.assertions++
      inSubtest = undefined
    })
  }
  note(parser, [])
}
