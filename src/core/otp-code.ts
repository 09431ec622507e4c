import { createHmac } from 'node:crypto'
import type { Random } from './clock-and-random.ts'

/** Crockford's base 32 has no I, L, O or U, so that no character is misread and no word appears by chance. */
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** 13 × 5 = 65 bits: a code of 64 bits or more needs no limit on attempts (NIST SP 800-63B, section 5.1.3.2). */
export const LONG_CODE_LENGTH = 13

/** A code of `length` digits, with each value equally likely; or a long code, if `length` is that of a long code. */
export function makeCode (length: number, random: Random): string {
  if (length === LONG_CODE_LENGTH) return Array.from({ length }, () => CROCKFORD[random.int(CROCKFORD.length)]).join('')
  return String(random.int(10 ** length)).padStart(length, '0')
}

/**
 * Reads a code as people type and paste it. Spaces, dashes and invisible format characters are removed. Decimal digits of any
 * script become ASCII digits. Letters become upper case; O is read as 0, and I and L as 1, because codes contain none of them.
 */
export function normalizeCode (typed: string): string {
  return typed
    .replace(/[\s\p{Z}\p{Dash}\p{Cf}]/gu, '')
    .replace(/\p{Nd}/gu, asciiDigit)
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
}

/** Unicode lists the ten digits of a script together and in order, so a digit's value is its distance from the script's zero. */
function asciiDigit (digit: string): string {
  const point = digit.codePointAt(0)!
  let first = point
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--
  return String((point - first) % 10)
}

/**
 * The stored form of a code: HMAC-SHA-256 with the code key, bound to the address. A plain hash of six digits could be
 * reversed with a million guesses. Without the key, a leaked database reveals no code.
 */
export function macOfCode (key: Buffer, emailHash: string, code: string): string {
  return createHmac('sha256', key).update(`${emailHash}\0${code}`).digest('base64url')
}
