import type { OtpAuthStorage } from '../../src/index.ts'

/** The same storage, which records its calls in order. `fail` makes one of its methods reject from now on. */
export function spyStorage (storage: OtpAuthStorage) {
  const calls: string[] = []
  const failing = new Set<string>()
  const spied = { ...storage } as unknown as Record<string, (...input: unknown[]) => unknown>
  for (const [verb, run] of Object.entries(spied)) {
    spied[verb] = (...input) => {
      calls.push(verb)
      return failing.has(verb) ? Promise.reject(new Error('the database is gone')) : run(...input)
    }
  }
  return { storage: spied as unknown as OtpAuthStorage, calls, fail: (verb: keyof OtpAuthStorage) => failing.add(verb) }
}
