import fc from 'fast-check'
import type { Test } from 'tap'

/** The seed of the random tests. A failing test prints it, and `FC_SEED` sets it to repeat a run. */
export const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)

/** Checks a property with random values. @throws with the smallest case for which it does not hold, and the seed */
export function check<Drawn extends [unknown, ...unknown[]]> (
  t: Test, property: fc.IProperty<Drawn>, options: fc.Parameters<Drawn> = {}
): void {
  fc.assert(property, { numRuns: 200, includeErrorInReport: true, ...options, seed })
  t.pass('the property holds')
}
