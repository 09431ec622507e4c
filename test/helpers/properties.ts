import fc from 'fast-check'
import type { Test } from 'tap'

/** What random tests draw from: said when one fails, and taken from `FC_SEED` to see the same again. */
export const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)

/** Holds for whatever is drawn. @throws with the smallest case for which it does not, and the seed */
export function check<Drawn extends [unknown, ...unknown[]]> (
  t: Test, property: fc.IProperty<Drawn>, options: fc.Parameters<Drawn> = {}
): void {
  fc.assert(property, { numRuns: 200, includeErrorInReport: true, ...options, seed })
  t.pass('holds')
}
