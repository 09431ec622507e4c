import { readEmail } from '../core/email.ts'
import type { Keys } from '../core/keys.ts'
import type { Keyring } from '../core/subject.ts'
import type { Tokens } from '../core/tokens.ts'
import { invalidEmail } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import type { OtpAuthStorage } from '../storage/storage.ts'
import type { AccessStep, OtpMail } from '../option-types.ts'
import type { OtpAuthEvent, OtpAuthUser } from '../types.ts'
import type { Delivery } from './delivery.ts'
import type { Log } from './log.ts'

/** What every flow works with. */
export interface Flow {
  options: ResolvedOptions
  /** Fails closed: see `storage/fail-closed.ts`. */
  storage: OtpAuthStorage
  tokens: Tokens
  keys: Keys
  keyring: Keyring
  delivery: Delivery
  log: Log
  emit: (event: OtpAuthEvent) => void
}

/** The host's request, handed through to its own callbacks and looked at by none of the flows. */
export type HostRequest = OtpMail['request']

/** Asks the host whether the address may go on; everybody may where it set no `isAllowed`. */
export async function isAllowed (
  { options }: Flow, email: string, user: object | null, request: HostRequest, step: AccessStep
): Promise<boolean> {
  if (options.isAllowed === undefined) return true
  return await options.isAllowed({ email, user: (user ?? undefined) as OtpAuthUser | undefined, request, step }) === true
}

/** The one spelling of an address that was typed. @throws invalidEmail */
export function normalizeEmail ({ options }: Flow, typed: string): string {
  const read = readEmail(typed, options.normalizeEmail)
  if ('reason' in read) throw invalidEmail(read.reason)
  return read.email
}
