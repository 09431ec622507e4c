import { drizzleStorage } from '../../src/storage/drizzle/sqlite.ts'
import type { OtpAuthStorage } from '../../src/index.ts'
import { openDatabase } from './app.ts'

/** SQLite in memory that writes down every verb that is called. */
export function countingStorage () {
  const { client, db } = openDatabase()
  const calls: string[] = []
  const storage = new Proxy(drizzleStorage(db), {
    get (target, verb: keyof OtpAuthStorage) {
      const value = target[verb] as (...input: unknown[]) => unknown
      return (...input: unknown[]) => {
        calls.push(verb)
        return value.apply(target, input)
      }
    }
  })
  return { storage, calls, client }
}
