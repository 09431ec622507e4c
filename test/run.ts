/**
 * Runs a tier, files, or every file whose path contains a text. Without an argument, it runs the tier `fast`.
 *
 *     tsx test/run.ts fast
 *     tsx test/run.ts test/use-cases/verify-otp.test.ts
 *     tsx test/run.ts verify-otp
 *
 * The tests run in this one process, which takes seconds. The other tiers run under tap, with a process for each file.
 * `npm test` runs all files that way and measures coverage.
 */
import { spawnSync } from 'node:child_process'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { styleText } from 'node:util'
import { callsOf, run, type Failure, type Outcome } from './helpers/in-process.ts'
import { testFiles, tierNames, tierOf } from './tiers.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const colored = (color: 'green' | 'red' | 'yellow', text: string) => process.stdout.isTTY ? styleText(color, text) : text

function select (wanted: string): string[] {
  if (tierNames.includes(wanted)) return testFiles.filter((file) => tierOf(file) === wanted)
  const text = relative(root, wanted)
  const found = testFiles.filter((file) => file === text)
  return found.length > 0 ? found : testFiles.filter((file) => file.includes(wanted))
}

function show ({ name, details: { diff, stack, at, source, compare, tapCaught, ...more } }: Failure): void {
  console.log(colored('red', `  ✖ ${name}`))
  const frames = String(stack ?? '').split('\n').filter((frame) => !/test\/(run|helpers\/in-process)\.ts|^new Promise$/.test(frame))
  const texts = [diff, Object.keys(more).length > 0 && JSON.stringify(more, null, 2), frames.join('\n'), at && !stack && JSON.stringify(at)]
  for (const text of texts) if (text) console.log(String(text).trimEnd().replace(/^/gm, '    '))
}

/** One line for each reason. */
function inWords (file: string, skips: Outcome['skips']): string[] {
  const reasons = [...new Set(skips.map(({ reason }) => reason))]
  return reasons.map((reason) => {
    const names = skips.filter((skip) => skip.reason === reason).map(({ name }) => name)
    return `skipped: ${file} > ${names.length === 1 ? names[0] : `${names.length} tests`}: ${reason}`
  })
}

async function runInProcess (files: readonly string[]): Promise<boolean> {
  const startedAt = Date.now()
  const total = { tests: 0, assertions: 0, failed: 0 }
  const skips: string[] = []
  let skipped = 0
  for (const file of files) {
    const fileStartedAt = Date.now()
    const failures: Failure[] = []
    const calls = await callsOf(() => import(pathToFileURL(file).href)).catch((error) => {
      failures.push({ name: 'the file cannot be loaded', details: { stack: error.stack } })
      return []
    })
    const tests = calls.filter(({ method }) => method === 'test' || method === 'spawn')
    if (tests.length === 0 && failures.length === 0) failures.push({ name: 'the file has no test', details: {} })
    const outcome = await run(file, calls)
    failures.push(...outcome.failures)
    skips.push(...inWords(file, outcome.skips))
    skipped += outcome.skips.length
    total.assertions += outcome.assertions
    total.tests += tests.length
    total.failed += failures.length
    console.log(`${failures.length > 0 ? colored('red', '✖') : colored('green', '✔')} ${file} (${tests.length} tests, ${Date.now() - fileStartedAt} ms)`)
    for (const failure of failures) show(failure)
  }
  for (const skip of skips) console.log(colored('yellow', skip))
  const { tests, assertions, failed } = total
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1)
  console.log(`\n${files.length} files, ${tests} tests, ${assertions} assertions, ${skipped} skipped, ${failed} failures, ${seconds} s`)
  return failed === 0
}

function runUnderTap (files: readonly string[]): boolean {
  return spawnSync(join(root, 'node_modules/.bin/tap'), ['--disable-coverage', '--allow-empty-coverage', ...files], { cwd: root, stdio: 'inherit' }).status === 0
}

const names = process.argv.length > 2 ? process.argv.slice(2) : ['fast']
const files = [...new Set(names.flatMap(select))]
const unknown = names.filter((name) => select(name).length === 0)
if (files.length === 0 || unknown.length > 0) {
  console.error(`No test file matches "${unknown.join('", "')}". Expected ${tierNames.join(', ')}, a test file or a part of its path`)
  process.exit(1)
}
process.chdir(root)
const isSlowTier = names.some((name) => tierNames.includes(name) && name !== 'fast')
const isGreen = isSlowTier ? runUnderTap(files) : await runInProcess(files)
// Even if a test left a timer or a socket behind.
process.exit(isGreen ? 0 : 1)
