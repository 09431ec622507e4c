import { invalidToken } from '../errors.ts'
import type { UserRecord } from '../storage/storage.ts'
import type { Flow } from './flow.ts'
import { isLive } from './sessions.ts'

export interface Authenticated {
  user: UserRecord
  sessionId: string
  claims: Readonly<Record<string, unknown>>
}

/** Whom an access token speaks for, while its session lives. One call of storage. @throws invalidToken */
export async function authenticate ({ tokens, storage, options }: Flow, token: string): Promise<Authenticated> {
  const verified = tokens.verifyAccess(token)
  if (verified === null) throw invalidToken()
  const loaded = await storage.loadSession(verified)
  if (loaded === null || !isLive(loaded.session, options.clock())) throw invalidToken()
  return { user: loaded.user, sessionId: verified.sessionId, claims: verified.claims }
}
