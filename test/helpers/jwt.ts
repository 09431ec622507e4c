import { createHmac } from 'node:crypto'
import { deriveKeys, type Purpose } from '../../src/core/key-derivation.ts'

export const SECRET = 'the secret that the tokens of these tests are made with'

const HASHES: Record<string, string> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }

export function keyFor (purpose: Purpose, secret = SECRET, name = 'otp_auth'): Buffer {
  return deriveKeys([Buffer.from(secret)], name)[purpose][0]!
}

/** An object, or a text as it stands, in base64url. */
export function encode (part: object | string): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

export function hmac (text: string, key: string | Buffer, algorithm = 'HS256'): string {
  return createHmac(HASHES[algorithm]!, key).update(text).digest('base64url')
}

/** A JWT built by hand: header and claims as given, signed with the key, valid or not. */
export function forge (header: object | string, claims: object | string, key: string | Buffer, algorithm?: string): string {
  const signed = `${encode(header)}.${encode(claims)}`
  return `${signed}.${hmac(signed, key, algorithm)}`
}

export function claimsOf (token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
}

export function headerOf (token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())
}

/** The same claims without one. */
export function without (claims: Record<string, unknown>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([known]) => known !== name))
}

/** The same bytes in another spelling: the last character's bits that encode nothing are set. */
export function withStrayBits (part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  if (part.length % 4 === 0) throw new Error('its last character has no bit to spare')
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1)!) + 1]
}
