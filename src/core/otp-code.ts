import { createHmac } from 'node:crypto'
import type { Random } from '../option-types.ts'

/** Crockford's base 32: no I, L, O or U, so that nothing is misread and no word appears. */
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** 13 x 5 = 65 bits: a code of 64 bits or more needs no throttle (NIST SP 800-63B, section 5.1.3.2). */
export const LONG_CODE_LENGTH = 13

/** A code of `length` digits, each value equally likely, or the long code where that is its length. */
export function makeCode (length: number, random: Random): string {
  if (length === LONG_CODE_LENGTH) return Array.from({ length }, () => CROCKFORD[random.int(CROCKFORD.length)]).join('')
  return String(random.int(10 ** length)).padStart(length, '0')
}

/**
 * Reads a code as people type and paste it: spaces, dashes and invisible format characters are dropped, decimal digits of
 * any script become ASCII, letters are upper-cased, O is read as 0 and I and L as 1 (none of them is in a code).
 */
export function normalizeCode (typed: string): string {
  return typed
    .replace(/[\s\p{Z}\p{Dash}\p{Cf}]/gu, '')
    .replace(/\p{Nd}/gu, asciiDigit)
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
}

/** Unicode keeps the ten digits of a script together and in order, so a digit's value is its distance from the zero. */
function asciiDigit (digit: string): string {
  const point = digit.codePointAt(0)!
  let first = point
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--
  return String((point - first) % 10)
}

/**
 * What is stored of a code: HMAC-SHA-256 under the code key, bound to the subject. A plain hash of six digits would fall
 * to a million guesses; a database that leaks says nothing without the key.
 */
export function macOfCode (key: Buffer, subject: string, code: string): string {
  return createHmac('sha256', key).update(`${subject}\0${code}`).digest('base64url')
}
