/** Runs tap's tests of many files in one process, without the start of Node, Fastify and Drizzle for each file. */
import { Test, t as root } from 'tap'

// tap's root, which the files import, runs nothing here.
root.setTimeout(0)

/** A top-level test of a file. */
export interface FoundTest {
  file: string
  name: string
  options: { skip?: boolean | string, todo?: boolean | string, timeout?: number }
  run: (t: Test) => unknown
}

export interface Failure {
  /** The test, its subtests and the assertion. */
  name: string
  /** What tap says of it: a diff, a stack. */
  details: Record<string, unknown>
}

export interface Outcome {
  failures: Failure[]
  /** Skipped tests and assertions, and those left to do, each with its reason. */
  skips: string[]
  assertions: number
}

/** In milliseconds, for a test that sets no `timeout`. */
const TIMEOUT = 60_000

/** Imports a test file. Its top-level tests are noted down instead of run. */
export async function testsIn (file: string, importFile: () => Promise<unknown>): Promise<FoundTest[]> {
  const found: FoundTest[] = []
  const rootTest = root.test
  root.test = ((name: string, ...rest: unknown[]) => {
    const options = typeof rest[0] === 'object' ? rest[0]! : {}
    found.push({ file, name, options, run: rest.at(-1) as FoundTest['run'] })
  }) as never
  try {
    await importFile()
  } finally {
    root.test = rootTest
  }
  return found
}

/** Runs one test with all of its subtests and teardowns. An error that nothing in the test catches is a failure, too. */
export async function runTest ({ name, options, run }: FoundTest): Promise<Outcome> {
  const outcome: Outcome = { failures: [], skips: [], assertions: 0 }
  const listenerCount = process.listenerCount('uncaughtException')
  const stray = (error: unknown) => {
    // A test that expects one listens itself.
    if (process.listenerCount('uncaughtException') > listenerCount + 1) return
    outcome.failures.push({ name: `${name} > outside of the test: ${error}`, details: error instanceof Error ? { stack: error.stack } : {} })
  }
  process.on('uncaughtException', stray).on('unhandledRejection', stray)
  // Keeps the process alive while a test waits for something that never comes: tap's own timeout does not.
  const wait = setInterval(() => {}, 1000)
  // The outer test belongs to no other test. It is the one that fails if a teardown throws.
  const outer = new Test({ name, timeout: 0, cb: async (t) => { await t.test(name, { timeout: TIMEOUT, ...options }, run as never) } })
  watch(outer, outcome)
  outer.resume()
  await new Promise<void>((resolve) => { outer.runMain(resolve) })
  clearInterval(wait)
  process.off('uncaughtException', stray).off('unhandledRejection', stray)
  return outcome
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
      if (skip || todo) outcome.skips.push(`${fullName}: ${skip || todo}`)
      else if (!ok && !inSubtest) outcome.failures.push({ name: fullName, details: diag ?? {} })
      else if (inSubtest === undefined) outcome.assertions++
      inSubtest = undefined
    })
  }
  note(parser, [])
}
