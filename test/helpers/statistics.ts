export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * Wilcoxon's signed-rank test: how unlikely it is that differences within pairs lean to one side by chance alone, in
 * standard deviations. The few that are huge on a busy machine weigh no more than their rank.
 */
export function leaning (differences: readonly number[]): number {
  const count = differences.length
  const byRank = differences.toSorted((a, b) => Math.abs(a) - Math.abs(b))
  const sum = byRank.reduce((sum, difference, position) => sum + Math.sign(difference) * (position + 1), 0)
  return Math.abs(sum) / Math.sqrt(count * (count + 1) * (2 * count + 1) / 6)
}
