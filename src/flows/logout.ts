import type { Flow } from './flow.ts'
import { endSession } from './sessions.ts'

/**
 * Ends the session of whatever correctly signed token is presented, whatever its step or expiry: who wants to leave is
 * let out. A session ends in every process at once, access tokens included.
 */
export async function logout (
  flow: Flow, { refreshToken, accessToken }: { refreshToken: string | undefined, accessToken: string | undefined }
): Promise<void> {
  const evenExpired = { evenExpired: true }
  const presented = [
    refreshToken === undefined ? null : flow.tokens.verifyRefresh(refreshToken, evenExpired),
    accessToken === undefined ? null : flow.tokens.verifyAccess(accessToken, evenExpired)
  ]
  for (const session of presented) {
    if (session !== null) await endSession(flow, session, 'logout')
  }
}
