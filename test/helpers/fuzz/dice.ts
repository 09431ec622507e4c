import fc from 'fast-check'
import { seededNumbers } from '../random.ts'

/** Random choices. The same seed gives the same choices. */
export interface Dice {
  /** An integer from 0 to `max - 1`. */
  below (max: number): number
  chance (percent: number): boolean
  pick<T> (list: readonly T[]): T
  /** One of the choices. Its probability is proportional to its weight. */
  weighted<T> (choices: ReadonlyArray<readonly [weight: number, choice: T]>): T
}

export function createDice (seed: number): Dice {
  const below = seededNumbers(String(seed))
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (list) => list[below(list.length)]!,
    weighted (choices) {
      let left = below(choices.reduce((sum, [weight]) => sum + weight, 0))
      return choices.find(([weight]) => (left -= weight) < 0)![1]
    }
  }
}

/** Unusual values to pick from, created once. Shrinking would not help, because the server remembers earlier requests. */
export interface OddValues {
  json: readonly unknown[]
  texts: readonly string[]
  addresses: readonly string[]
  bytes: readonly Uint8Array[]
}

export function oddValues (seed: number): OddValues {
  const sample = <T>(values: fc.Arbitrary<T>) => fc.sample(values, { seed, numRuns: 300 })
  return {
    json: sample(fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>({ $gt: '' }, { $ne: null }, [], {}, null, true, 0, -1, 1e308, '', ['123456'], 123456))),
    texts: sample(fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ maxLength: 20 }))),
    addresses: sample(fc.oneof(fc.emailAddress(), fc.string({ maxLength: 10 }).map((text) => `${text}@x.example`), fc.constantFrom(
      'a@x.io,b@y.io', '<a@x.io>', 'a@x.io\r\nBcc: z@y.io', 'a＠x.io', 'a@ex%61mple.com', 'a@2130706433', 'a@x.io.', '+@x.io', '.@x.io', 'a@xn--x.io'
    ))),
    bytes: sample(fc.uint8Array({ minLength: 1, maxLength: 200 }))
  }
}
