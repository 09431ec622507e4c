import type { OtpAuthStorage } from '../storage/contract.ts'

/** Connects the suite to your test runner and to your database. */
export interface ConformanceHarness {
  /**
   * Registers one case with your test runner. The case passes if the promise that `run` returns resolves. The runner must run
   * one case at a time.
   */
  test (name: string, run: () => Promise<void>): void
  /** Opens an **empty** database. Every case calls it once, and closes the database when it ends. */
  open (): Promise<ConformanceDatabase>
  /** Calls that a race makes at the same time. At least 12, so that the races exceed every limit. @default 100 */
  parallel?: number
}

/** An empty database that one case has to itself. */
export interface ConformanceDatabase {
  /**
   * One or more adapters on this database, each with a connection or a pool of its own. Races spread their calls over them, so
   * two or more find more mistakes than one.
   */
  storages: readonly OtpAuthStorage[]
  /** Inserts a row into the users table exactly as given, without the adapter. @returns the ID of the user, as text */
  insertUserRow (user: { email: string, isVerified: boolean }): Promise<string>
  /** Cleans up, for example by deleting the database. Every case calls it once at its end, even if the case fails. */
  close (): Promise<void>
}

/** The values that a case works with. */
export interface CaseContext {
  storage: OtpAuthStorage
  /** Another adapter on the same database, if there are several. It must see everything that `storage` wrote. */
  other: OtpAuthStorage
  insertUserRow: ConformanceDatabase['insertUserRow']
  /** Inserts a verified user with the address `mike@x.io`. @returns the ID of the user, as text */
  insertMike: () => Promise<string>
  /** How many calls {@link CaseContext.race} makes. */
  parallel: number
  /** Makes `parallel` calls at once, spread over all adapters. Waits for every call, even if one fails. */
  race<T> (call: (storage: OtpAuthStorage, position: number) => Promise<T>): Promise<T[]>
}

/** Registers a case that has an empty database to itself. */
export type RegisterCase = (name: string, run: (context: CaseContext) => Promise<void>) => void

/** How often a case repeats its race, because a faulty adapter does not fail every time. */
export const rounds = 5

/** The numbers from 1 to `count`. */
export const oneTo = (count: number): number[] => Array.from({ length: count }, (_, position) => position + 1)

export const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((one, two) => one - two)

/**
 * Returns the function that registers cases.
 *
 * @throws RangeError if `parallel` is below 12, because the races would not exceed every limit
 */
export function createRegister ({ test, open, parallel = 100 }: ConformanceHarness): RegisterCase {
  if (!(parallel >= 12)) throw new RangeError(`parallel must be at least 12, so that the races exceed every limit. Got ${parallel}`)
  return (name, run) => test(name, async () => {
    const { storages, insertUserRow, close } = await open()
    try {
      const storage = storages[0]
      if (storage === undefined) throw new TypeError('open() must resolve to at least one adapter in `storages`. Got none')
      await run({
        storage,
        other: storages.at(-1)!,
        insertUserRow,
        insertMike: () => insertUserRow({ email: 'mike@x.io', isVerified: true }),
        parallel,
        race: async (call) => {
          const calls = Array.from({ length: parallel }, (_, position) => call(storages[position % storages.length]!, position))
          // If the database were closed while calls are running, their errors would hide the failure that ended the case.
          await Promise.allSettled(calls)
          return Promise.all(calls)
        }
      })
    } finally {
      await close()
    }
  })
}
