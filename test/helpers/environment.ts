/** The environment for a process of its own, without what the test runner adds: its loaders and its coverage are not for it. */
export function ownEnvironment (): NodeJS.ProcessEnv {
  const isRunners = (name: string) => name === 'NODE_OPTIONS' || /^_?TAP(_|$)|^NODE_V8_COVERAGE$|^_TAPJS_/.test(name)
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isRunners(name)))
}
