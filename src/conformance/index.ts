import { attemptCases } from './attempts.ts'
import { challengeCases } from './challenges.ts'
import { cleanupCases } from './cleanup.ts'
import { counterCases } from './counters.ts'
import { failureCases } from './failures.ts'
import { createRegister, type ConformanceHarness } from './harness.ts'
import { sessionCases } from './sessions.ts'
import { userCases } from './users.ts'

export type { ConformanceDatabase, ConformanceHarness } from './harness.ts'

/**
 * Registers a test case for every promise of the storage contract, including those about parallel calls. An adapter is correct
 * if it passes all of them on a real server of its database. The suite needs only `node:assert`.
 *
 * @example
 * ```ts
 * import { test } from 'node:test'
 * import { storageConformance } from 'fastify-otp-auth/storage-conformance'
 *
 * storageConformance({ test, open: openMyDatabase })
 * ```
 *
 * @throws RangeError if `parallel` is below 12, because the races would not exceed every limit
 */
export function storageConformance (harness: ConformanceHarness): void {
  const register = createRegister(harness)
  challengeCases(register)
  attemptCases(register)
  counterCases(register)
  failureCases(register)
  userCases(register)
  sessionCases(register)
  cleanupCases(register)
}
