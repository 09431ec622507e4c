import { counterCases } from './counters.ts'
import { challengeCases } from './challenges.ts'
import { cleanupCases } from './cleanup.ts'
import { failureCases } from './failures.ts'
import { attemptCases } from './attempts.ts'
import { caseRegistrar, type ConformanceHarness } from './harness.ts'
import { sessionCases } from './sessions.ts'
import { userCases } from './users.ts'

export type { ConformanceDatabase, ConformanceHarness } from './harness.ts'

/**
 * Registers a case for every promise of the storage contract, those under races included. An adapter is whatever passes
 * all of them on a real server of its database; `node:assert` is all that they need.
 *
 * @example
 * ```ts
 * import { test } from 'node:test'
 * import { storageConformance } from 'fastify-otp-auth/storage-conformance'
 *
 * storageConformance({ test, open: openMyDatabase })
 * ```
 *
 * @throws RangeError for a `parallel` below 12: some limits would never be reached
 */
export function storageConformance (harness: ConformanceHarness): void {
  const register = caseRegistrar(harness)
  challengeCases(register)
  attemptCases(register)
  counterCases(register)
  failureCases(register)
  userCases(register)
  sessionCases(register)
  cleanupCases(register)
}
