import { readEmail } from '../core/email.ts'
import { invalidEmail } from '../errors.ts'
import type { Services } from './services.ts'

/** The one normalized spelling of an address that a user typed. @throws FST_ERR_VALIDATION if it is not an address */
export function normalizeEmail ({ options }: Services, typed: string): string {
  const result = readEmail(typed, options.normalizeEmail)
  if ('reason' in result) throw invalidEmail(result.reason)
  return result.email
}
