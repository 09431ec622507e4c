import { endSession } from '../services/sessions.ts'
import type { Services } from '../services/services.ts'

/**
 * Ends the session of each correctly signed token in the request. Replaced and expired tokens are accepted, so that a user
 * can always log out. The session ends in every process at once, including its access tokens.
 */
export async function logout (
  services: Services, { refreshToken, accessToken }: { refreshToken: string | undefined, accessToken: string | undefined }
): Promise<void> {
  const options = { ignoreExpiration: true }
  const sessions = [
    refreshToken === undefined ? null : services.tokens.verifyRefresh(refreshToken, options),
    accessToken === undefined ? null : services.tokens.verifyAccess(accessToken, options)
  ]
  for (const session of sessions) {
    if (session !== null) await endSession(services, session, 'logout')
  }
}
