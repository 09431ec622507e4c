import { createHash, randomBytes, randomInt } from 'node:crypto'
import type { Random } from '../../src/options/types.ts'

/** Randomness that records the arguments of its calls. */
export function countingRandom (int: (max: number) => number = (max) => randomInt(max)) {
  const asked: { bytes: number[], int: number[] } = { bytes: [], int: [] }
  const random: Random = {
    bytes (size) {
      asked.bytes.push(size)
      return randomBytes(size)
    },
    int (max) {
      asked.int.push(max)
      return int(max)
    }
  }
  return { ...random, asked }
}

/** Numbers that are the same in every run, so that a failing test fails again. */
export function seededNumbers (seed: string): (max: number) => number {
  let count = 0
  return (max) => createHash('sha256').update(`${seed}/${count++}`).digest().readUIntBE(0, 6) % max
}
