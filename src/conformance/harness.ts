import type { OtpAuthStorage } from '../storage/contract.ts'

/** What the suite needs from a test runner and from a database. */
export interface ConformanceHarness {
  /** Registers one case with any test runner. */
  test (name: string, run: () => Promise<void>): void
  /**
   * Opens an **empty** database. `storages` holds at least one adapter on it, each with a connection or a pool of its
   * own: races are spread over them. Every case opens a database and closes it; no two cases run at a time.
   */
  open (): Promise<ConformanceDatabase>
  /** Parallel calls a round; at least 12, which is more than any limit that the cases set. @default 100 */
  parallel?: number
}

/** A database that one case has to itself. */
export interface ConformanceDatabase {
  storages: readonly OtpAuthStorage[]
  /** Puts a user row in as it is, e.g. an unverified one. @returns its id as text */
  insertUserRow (user: { email: string, isVerified: boolean }): Promise<string>
  close (): Promise<void>
}

/** What a case works with. */
export interface Scene {
  storage: OtpAuthStorage
  /** The last of the adapters on the database: what one wrote, the other must see. */
  other: OtpAuthStorage
  insertUserRow: ConformanceDatabase['insertUserRow']
  /** Parallel calls a round. */
  parallel: number
  /** Makes all calls of a round at once, spread over the adapters, and lets each end before it fails. */
  race<T> (call: (storage: OtpAuthStorage, position: number) => Promise<T>): Promise<T[]>
}

/** Registers a case that has an empty database to itself. */
export type RegisterCase = (name: string, run: (scene: Scene) => Promise<void>) => void

/** Where every case's clock stands: past 2^32 and with milliseconds, so that a column too narrow or too coarse shows. */
export const now = 1_790_000_000_123

/** How often a race is run anew: one that is lost once in a while is lost. */
export const rounds = 5

/** `1 … count`, which is what parallel calls that count must have seen, each its own. */
export const oneTo = (count: number): number[] => Array.from({ length: count }, (_, position) => position + 1)

export const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((one, two) => one - two)

/** @throws RangeError for fewer than 12 calls at once: some limits would never be reached */
export function caseRegistrar ({ test, open, parallel = 100 }: ConformanceHarness): RegisterCase {
  if (!(parallel >= 12)) throw new RangeError(`parallel must be at least 12, for every limit must be passed; got ${parallel}`)
  return (name, run) => test(name, async () => {
    const { storages, insertUserRow, close } = await open()
    const storage = storages[0]!
    try {
      await run({
        storage,
        other: storages.at(-1)!,
        insertUserRow,
        parallel,
        race: async (call) => {
          const calls = Array.from({ length: parallel }, (_, position) => call(storages[position % storages.length]!, position))
          // Closing a database under calls in flight would hide the failure that ended the case.
          await Promise.allSettled(calls)
          return Promise.all(calls)
        }
      })
    } finally {
      await close()
    }
  })
}
