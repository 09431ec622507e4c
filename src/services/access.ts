import type { AccessStep } from '../options/types.ts'
import type { OtpAuthUser } from '../types/user.ts'
import type { AppRequest, Services } from './services.ts'

/** Asks the application's `isAllowed` whether this address may log in. Without that option every address may. */
export async function isAllowed (
  { options }: Services, email: string, user: object | null, request: AppRequest, step: AccessStep
): Promise<boolean> {
  if (options.isAllowed === undefined) return true
  return await options.isAllowed({ email, user: (user ?? undefined) as OtpAuthUser | undefined, request, step }) === true
}
