import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Random } from '../option-types.ts'
import { DAY } from './duration.ts'

export const DEVICE_LIFETIME = 180 * DAY
const MAX_SUBJECTS = 5

/** A browser that has logged in before. It opens nothing: it only chooses which budgets are drawn on. */
export interface Device {
  id: string
  /** Whom it logged in as, the latest first. */
  subjects: readonly string[]
}

/** Reads a device cookie; whatever is not whole, genuine and in date is no device. */
export function readDevice (value: string | undefined, keys: readonly Buffer[], now: number): Device | null {
  const parts = (value ?? '').split('.')
  // As text: a decoder would take many spellings of one signature.
  const mac = Buffer.from(parts.pop()!)
  const signed = parts.join('.')
  if (!keys.some((key) => sameMac(mac, signature(key, signed)))) return null
  const [id, expiresAt, ...subjects] = parts
  return Number(expiresAt) > now ? { id: id!, subjects } : null
}

/** The cookie of a browser that has just logged in as `subject`: the same device where it was one. */
export function rememberDevice (device: Device | null, subject: string, key: Buffer, now: number, random: Random): string {
  const others = (device?.subjects ?? []).filter((known) => known !== subject)
  const subjects = [subject, ...others].slice(0, MAX_SUBJECTS)
  const signed = [device?.id ?? random.bytes(16).toString('base64url'), now + DEVICE_LIFETIME, ...subjects].join('.')
  return `${signed}.${signature(key, signed)}`
}

function signature (key: Buffer, signed: string): Buffer {
  return Buffer.from(createHmac('sha256', key).update(signed).digest('base64url'))
}

function sameMac (given: Buffer, expected: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected)
}
