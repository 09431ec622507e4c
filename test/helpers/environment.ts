/**
 * The environment for a process of its own, without what the test runner adds. tap puts its loader back into every process
 * that a test starts, so its coverage is also turned off: a process that compiles the sources in another way would spoil
 * the coverage of all others.
 */
export function ownEnvironment (): NodeJS.ProcessEnv {
  const isRunners = (name: string) => name === 'NODE_OPTIONS' || /^_?TAP(_|$)|^NODE_V8_COVERAGE$|^_TAPJS_/.test(name)
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !isRunners(name)))
  return { ...own, _TAPJS_PROCESSINFO_COVERAGE_: '0' }
}
