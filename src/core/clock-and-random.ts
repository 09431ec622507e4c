import { randomBytes, randomInt } from 'node:crypto'

/** The current time in epoch milliseconds. */
export type Clock = () => number

/** A source of randomness. Tests pass their own. */
export interface Random {
  /** Cryptographically strong random bytes. */
  bytes (size: number): Buffer
  /** A uniformly distributed whole number from 0 up to, but not including, `max`. */
  int (max: number): number
}

/** Randomness from `node:crypto`. */
export const systemRandom: Random = { bytes: (size) => randomBytes(size), int: (max) => randomInt(max) }

/** A new random ID: 128 bits, which are 22 characters in base64url. */
export function randomId (random: Random): string {
  return random.bytes(16).toString('base64url')
}
