import { budgetCases } from './conformance/budgets.ts'
import { challengeCases } from './conformance/challenges.ts'
import { cleanupCases } from './conformance/cleanup.ts'
import { failureCases } from './conformance/failures.ts'
import { guessCases } from './conformance/guesses.ts'
import { caseRegistrar, type ConformanceHarness } from './conformance/harness.ts'
import { sessionCases } from './conformance/sessions.ts'
import { userCases } from './conformance/users.ts'

export type { ConformanceDatabase, ConformanceHarness } from './conformance/harness.ts'

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
  guessCases(register)
  budgetCases(register)
  failureCases(register)
  userCases(register)
  sessionCases(register)
  cleanupCases(register)
}
