import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ownEnvironment } from '../helpers/environment.ts'

const script = fileURLToPath(new URL('../../.ci/count-tests', import.meta.url))

/** @returns the exit status, the last line and the lines before it */
function count (output: string, status = '0') {
  // tap adds its loader to NODE_OPTIONS, and that loader fails on a module without an extension.
  const args = ['-u', 'NODE_OPTIONS', process.execPath, script, status]
  const result = spawnSync('env', args, { input: output, encoding: 'utf8', env: ownEnvironment() })
  const lines = result.stdout.trimEnd().split('\n')
  return { status: result.status, last: lines.at(-1), before: lines.slice(0, -1).join('\n') }
}

const tap = (summary: string, ...lines: string[]) => ['TAP version 14', ...lines, `# { ${summary} }`, '# time=12.5ms', ''].join('\n')

t.test('when all tests pass, the counts are the only line', async (t) => {
  t.same(count(tap('total: 12, pass: 12')), { status: 0, last: '12 passed, 0 failed', before: '' })
})

t.test('failed tests are counted', async (t) => {
  t.same(count(tap('total: 12, pass: 10, fail: 2'), '1'), { status: 1, last: '10 passed, 2 failed', before: '' })
})

t.test('skipped tests and tests to do count as failed, and are listed with their reasons', async (t) => {
  const output = tap(
    'total: 12, pass: 8, fail: 1, skip: 2, todo: 1',
    '# Subtest: test/a.test.ts',
    '    ok 1 - works on a server # SKIP TEST_MONGODB_URL is not set',
    '    ok 2 - does not skip anything # time=1ms',
    'ok 1 - test/a.test.ts',
    'ok 2 - test/b.test.ts # SKIP no Chromium',
    'not ok 3 - test/c.test.ts # TODO later'
  )
  t.same(count(output, '1'), {
    status: 1,
    last: '8 passed, 4 failed',
    before: [
      '3 tests were skipped or are marked as todo. CI must run every test, so they count as failed:',
      '  ok 1 - works on a server # SKIP TEST_MONGODB_URL is not set',
      '  ok 2 - test/b.test.ts # SKIP no Chromium',
      '  not ok 3 - test/c.test.ts # TODO later'
    ].join('\n')
  })
  t.match(count(tap('total: 2, pass: 1, skip: 1')), { status: 1, last: '1 passed, 1 failed' }, 'with an exit status of 0, too')
})

t.test('a command that fails outside of the tests counts as one failure', async (t) => {
  t.match(count(tap('total: 12, pass: 12'), '1'), { status: 1, last: '12 passed, 1 failed', before: 'No test failed, but a command did' })
  t.match(count('error TS2322: Type is not assignable', '2'), { status: 1, last: '0 passed, 1 failed', before: 'No test failed, but a command did' })
})

t.test('a run without tests is a failure', async (t) => {
  for (const output of ['', tap('total: 0, pass: 0')]) {
    t.same(count(output), { status: 1, last: '0 passed, 1 failed', before: 'No test ran.' })
  }
})

t.test('the last summary at the start of a line counts, not one that a test printed', async (t) => {
  const output = tap('total: 12, pass: 12', '# { total: 99, pass: 98, fail: 1 }', '    # { total: 50, pass: 49, skip: 1 }')
  t.same(count(output), { status: 0, last: '12 passed, 0 failed', before: '' })
})

t.test('an exit status that is not a number is an error', async (t) => {
  t.equal(count(tap('total: 12, pass: 12'), 'yes').status, 1)
})

t.test('a test that tap itself skips is found in what tap prints', async (t) => {
  const program = "import t from 'tap'; t.test('runs', async (t) => { t.ok(1) }); t.test('later', { skip: 'no server' }, async () => {})"
  const options = { input: program, encoding: 'utf8', env: { ...ownEnvironment(), TAP: '1' }, cwd: fileURLToPath(new URL('../..', import.meta.url)) } as const
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-'], options)
  t.match(stdout, /^ok 2 - later # SKIP no server$/m)
})
