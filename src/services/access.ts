import { readEmail } from '../core/email.ts'
import { invalidEmail } from '../errors.ts'
import type { AccessStep } from '../options/types.ts'
import type { OtpAuthUser } from '../types/user.ts'
import type { AppRequest, Services } from './services.ts'

/** Asks the application's `isAllowed` whether this address may go on. Without that option every address may. */
export async function isAllowed (
  { options }: Services, email: string, user: object | null, request: AppRequest, step: AccessStep
): Promise<boolean> {
  if (options.isAllowed === undefined) return true
  return await options.isAllowed({ email, user: (user ?? undefined) as OtpAuthUser | undefined, request, step }) === true
}

/** The one normalized spelling of an address that a user typed. @throws invalidEmail */
export function normalizeEmail ({ options }: Services, typed: string): string {
  const result = readEmail(typed, options.normalizeEmail)
  if ('reason' in result) throw invalidEmail(result.reason)
  return result.email
}
