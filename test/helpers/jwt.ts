import { createHmac } from 'node:crypto'
import { deriveKeys, type Purpose } from '../../src/core/key-derivation.ts'

export const SECRET = 'the secret that the tokens of these tests are made with'

const HASHES: Record<string, string> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }

export function keyFor (purpose: Purpose, secret = SECRET, name = 'otp_auth'): Buffer {
  return deriveKeys([Buffer.from(secret)], name)[purpose][0]!
}

/** Encodes an object as JSON, or a text unchanged, in base64url. */
export function encode (part: object | string): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

export function hmac (text: string, key: string | Buffer, algorithm = 'HS256'): string {
  return createHmac(HASHES[algorithm]!, key).update(text).digest('base64url')
}

/** Builds a JWT by hand from this header and these claims, signed with the key. It need not be valid. */
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

/** The claims without the named one. */
export function without (claims: Record<string, unknown>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([known]) => known !== name))
}

/** The same bytes in another spelling: the unused bits of the last character are set. */
export function withStrayBits (part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  if (part.length % 4 === 0) throw new Error('its last character has no unused bits')
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1)!) + 1]
}
