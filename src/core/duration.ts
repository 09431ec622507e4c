export const SECOND = 1_000
export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 86_400_000

const UNITS: Record<string, number> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY }

/**
 * Reads a length of time.
 *
 * @param value a number of seconds, or a string such as `'15m'` (s, m, h, d)
 * @returns milliseconds, or `undefined` if the value is neither, is not finite or is negative
 */
export function parseDuration (value: unknown): number | undefined {
  const length = typeof value === 'number' ? value * SECOND : readText(value)
  return Number.isFinite(length) && length >= 0 ? Math.round(length) : undefined
}

function readText (value: unknown): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?) ?([smhd])$/.exec(value) : null
  return match === null ? NaN : Number(match[1]) * UNITS[match[2]!]!
}
