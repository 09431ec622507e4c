import { createHmac, timingSafeEqual } from 'node:crypto'
import { randomId, type Random } from './clock-and-random.ts'
import { DAY } from './duration.ts'

export const DEVICE_LIFETIME = 180 * DAY
const MAX_ADDRESSES = 5

/** A browser that has logged in before. Being remembered does not log it in: it only decides which limits apply. */
export interface Device {
  id: string
  /** Hashes of the addresses it logged in with, the latest first. */
  emailHashes: readonly string[]
}

/** Reads a device cookie. A value that is incomplete, forged or expired gives `null`. */
export function readDevice (value: string | undefined, keys: readonly Buffer[], now: number): Device | null {
  const parts = (value ?? '').split('.')
  // Compared as text: a decoder would accept several spellings of one MAC.
  const givenMac = Buffer.from(parts.pop()!)
  const signed = parts.join('.')
  if (!keys.some((key) => isSameMac(givenMac, macOf(key, signed)))) return null
  const [id, expiresAt, ...emailHashes] = parts
  return Number(expiresAt) > now ? { id: id!, emailHashes } : null
}

/** The cookie of a browser that has just logged in. A browser that was remembered before keeps its device ID. */
export function rememberDevice (device: Device | null, emailHash: string, key: Buffer, now: number, random: Random): string {
  const others = (device?.emailHashes ?? []).filter((known) => known !== emailHash)
  const emailHashes = [emailHash, ...others].slice(0, MAX_ADDRESSES)
  const signed = [device?.id ?? randomId(random), now + DEVICE_LIFETIME, ...emailHashes].join('.')
  return `${signed}.${macOf(key, signed)}`
}

function macOf (key: Buffer, signed: string): Buffer {
  return Buffer.from(createHmac('sha256', key).update(signed).digest('base64url'))
}

function isSameMac (given: Buffer, expected: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected)
}
