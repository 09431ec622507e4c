/**
 * The environment for a separate process, without the variables of the test runner. tap adds its loader to every process
 * that a test starts, so its coverage is turned off here: a process that compiles the sources in another way would spoil
 * the coverage of all other processes.
 */
export function ownEnvironment (): NodeJS.ProcessEnv {
  const isRunners = (name: string) => name === 'NODE_OPTIONS' || /^_?TAP(_|$)|^NODE_V8_COVERAGE$|^_TAPJS_/.test(name)
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isRunners(name)))
  return { ...own, _TAPJS_PROCESSINFO_COVERAGE_: '0' }
}
