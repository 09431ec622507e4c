import { invalidToken } from '../errors.ts'
import { isLive } from '../services/sessions.ts'
import type { Services } from '../services/services.ts'
import type { UserRecord } from '../storage/contract.ts'

export interface Authenticated {
  user: UserRecord
  sessionId: string
  claims: Readonly<Record<string, unknown>>
}

/**
 * Finds the user of an access token, if the token is valid and its session is live. One storage call.
 *
 * @throws OTP_AUTH_INVALID_TOKEN
 */
export async function authenticate ({ tokens, storage, options }: Services, token: string): Promise<Authenticated> {
  const verified = tokens.verifyAccess(token)
  if (verified === null) throw invalidToken()
  const loaded = await storage.loadSession(verified)
  if (loaded === null || !isLive(loaded.session, options.clock())) throw invalidToken()
  return { user: loaded.user, sessionId: verified.sessionId, claims: verified.claims }
}
