/** Two values that were measured right after each other. */
export type Pair = readonly [number, number]

const SHUFFLES = 2_000

/** The value below which a share of them are, e.g. the median for 0.5. */
export function quantile (values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!
}

/** How far the quantile of the first ones is from that of the second ones. */
export function distance (pairs: readonly Pair[], share: number): number {
  return Math.abs(quantile(pairs.map(([first]) => first), share) - quantile(pairs.map(([, second]) => second), share))
}

/**
 * A permutation test: the largest distance there is where each pair is swapped or not by the toss of a coin, in 2,000
 * tries. What is measured goes beyond it less than once in as many runs where the two of a pair are alike, however
 * unsteady the machine.
 */
export function distanceByChance (pairs: readonly Pair[], share: number): number {
  const shuffled = () => pairs.map(([first, second]): Pair => Math.random() < 0.5 ? [first, second] : [second, first])
  return Array.from({ length: SHUFFLES }, () => distance(shuffled(), share)).reduce((largest, one) => Math.max(largest, one))
}
