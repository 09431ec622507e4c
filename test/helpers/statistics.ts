/** Two values that were measured one right after the other. */
export type Pair = readonly [number, number]

const SHUFFLES = 2_000

/** The value below which this share of the values lies, such as the median for 0.5. */
export function quantile (values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!
}

/** The difference between the quantile of the first values and that of the second values. */
export function distance (pairs: readonly Pair[], share: number): number {
  return Math.abs(quantile(pairs.map(([first]) => first), share) - quantile(pairs.map(([, second]) => second), share))
}

/**
 * A permutation test: in 2,000 rounds, each pair is swapped or not at random. The result is the largest distance of all rounds.
 * If both values of a pair have the same distribution, the measured distance exceeds it less than once in 2,000 runs, however
 * much the speed of the machine varies.
 */
export function distanceByChance (pairs: readonly Pair[], share: number): number {
  const shuffled = () => pairs.map(([first, second]): Pair => Math.random() < 0.5 ? [first, second] : [second, first])
  return Array.from({ length: SHUFFLES }, () => distance(shuffled(), share)).reduce((largest, one) => Math.max(largest, one))
}
