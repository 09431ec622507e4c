import { basename, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DryRunStatus, TestStatus, determineHitLimitReached, toMutantRunResult } from '@stryker-mutator/api/test-runner'
import { PluginKind, commonTokens, declareClassPlugin, tokens } from '@stryker-mutator/api/plugin'

/** The state that the mutated code reads: the active mutant, and the test to which coverage belongs. */
const mutants = (globalThis.__stryker__ ??= {})

/**
 * Runs the tap tests one by one in Stryker's own process. Stryker's tap-runner starts a process for each file, with Node, Fastify
 * and Drizzle. Here a mutant costs only the tests that reach it, a few milliseconds each. Each top-level test, with all of its
 * assertions, is one test for Stryker. The first test that fails ends the mutant.
 */
class TapInProcess {
  static inject = tokens(commonTokens.options)

  #groups
  #except
  #tests
  #runCalls
  #isDirty = false
  /** Empties the log of the tests, which each application searches for secrets when it closes. */
  #forgetLog
  /** For each source, how many of its mutants each test has killed. Tests with more kills run first. */
  #kills = new Map()

  constructor ({ tapInProcess }) {
    this.#groups = tapInProcess.groups
    this.#except = tapInProcess.except
  }

  capabilities () {
    // Modules stay imported, so a mutant in code that runs at import gets its own process.
    return { reloadEnvironment: false }
  }

  async dryRun () {
    await this.#load()
    const results = []
    for (const test of this.#tests.values()) results.push(await this.#run(test))
    return { status: DryRunStatus.Complete, tests: results, mutantCoverage: mutants.mutantCoverage }
  }

  async mutantRun ({ activeMutant, hitLimit, mutantActivation, sandboxFileName, testFilter }) {
    // If this rejects, Stryker runs the mutant again in another process.
    if (this.#isDirty) throw new Error('a test of the last mutant did not end in this process')
    if (mutantActivation === 'static') mutants.activeMutant = activeMutant.id
    await this.#load()
    Object.assign(mutants, { activeMutant: activeMutant.id, hitCount: hitLimit && 0, hitLimit })
    const results = []
    for (const test of this.#inOrder(testFilter ?? [...this.#tests.keys()], sandboxFileName)) {
      const result = await this.#run(test)
      results.push(result)
      if (result.status === TestStatus.Failed) {
        const kills = this.#killsOf(sandboxFileName)
        kills.set(test.id, (kills.get(test.id) ?? 0) + 1)
        break
      }
    }
    return toMutantRunResult(determineHitLimitReached(mutants.hitCount, hitLimit) ??
      { status: DryRunStatus.Complete, tests: results })
  }

  #killsOf (source) {
    if (!this.#kills.has(source)) this.#kills.set(source, new Map())
    return this.#kills.get(source)
  }

  /** The tests that cover the source. Tests that killed mutants of it come first, then those of the file with its name. */
  #inOrder (ids, source) {
    const path = relative(process.cwd(), source)
    const { tests } = this.#groups.find(({ sources }) => sources.some((start) => path.startsWith(start)))
    const kills = this.#killsOf(source)
    const rank = ({ id, file }) => (kills.get(id) ?? 0) + (file.endsWith(`/${basename(path, '.ts')}.test.ts`) ? 0.5 : 0)
    return ids.map((id) => this.#tests.get(id)).filter(({ file }) => tests.includes(file)).sort((one, two) => rank(two) - rank(one))
  }

  /** Imports the test files. Their tests call tap's root, which only records them here. */
  async #load () {
    if (this.#tests !== undefined) return
    this.#tests = new Map()
    const { forget } = await importCompiled('test/helpers/log.ts')
    this.#forgetLog = forget
    const { callsOf, run } = await importWithTap('test/helpers/in-process.ts')
    this.#runCalls = run
    for (const file of new Set(this.#groups.flatMap(({ tests }) => tests))) {
      for (const call of await callsOf(() => importCompiled(file))) {
        const { method, args: [name, options] } = call
        if (method !== 'test') throw new Error(`${file} calls t.${method}() outside of its tests, which is not supported here`)
        const id = `${file} › ${name}`
        if (!this.#except.includes(name)) this.#tests.set(id, { id, file, call, isSkipped: Boolean(options.skip) })
      }
    }
  }

  async #run ({ id, file, call, isSkipped }) {
    const result = { id, name: id, fileName: resolve(file) }
    if (isSkipped) return { ...result, status: TestStatus.Skipped, timeSpentMs: 0 }
    this.#forgetLog()
    mutants.currentTestId = id
    const startedAt = performance.now()
    const { failures } = await this.#runCalls(id, [call])
    mutants.currentTestId = undefined
    this.#isDirty ||= failures.some(({ name }) => name.includes('timeout!'))
    const timeSpentMs = performance.now() - startedAt
    if (failures.length === 0) return { ...result, status: TestStatus.Success, timeSpentMs }
    return { ...result, status: TestStatus.Failed, failureMessage: failures[0].name, timeSpentMs }
  }
}

/**
 * tap is not imported at the top, because Stryker's main process also loads this file, and tap would end that process as a test
 * that takes too long. tap also sends a message about its timeout to its parent process. That is Stryker, which does not expect it.
 */
async function importWithTap (file) {
  const { send } = process
  process.send = undefined
  const imported = await importCompiled(file)
  process.send = send
  return imported
}

/** In the copy that Stryker mutates, the JavaScript of each source is beside it. */
async function importCompiled (file) {
  return await import(pathToFileURL(resolve(file.replace(/\.ts$/, '.js'))).href)
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'tap-in-process', TapInProcess)]
