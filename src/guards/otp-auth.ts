import type { HttpContext } from '../http/context.ts'
import { setRefreshCookie } from '../http/token-response.ts'
import { startSession } from '../services/sessions.ts'
import type { OtpAuth } from '../types/decorators.ts'
import { cleanup } from '../use-cases/cleanup.ts'

/** `app.otpAuth`: functions for the application's own code. They use the same services as the routes. */
export function createOtpAuth (context: HttpContext): OtpAuth {
  const { services } = context
  const { storage, options } = services

  return {
    async issueTokens (row, reply) {
      const tokens = await startSession(services, { id: storage.userId(row), row }, reply?.request)
      if (reply !== undefined) setRefreshCookie(reply, context, tokens)
      const { accessToken, refreshToken, expiresIn, sessionId } = tokens
      return { accessToken, refreshToken, expiresIn, sessionId }
    },

    revokeSession: (id) => storage.revokeSession({ id, now: options.clock() }),

    revokeAllSessions: (userId) =>
      storage.revokeUserSessions({ userId: String(userId), startedBefore: Number.MAX_SAFE_INTEGER, now: options.clock() }),

    async listSessions (userId) {
      const sessions = await storage.listSessions({ userId: String(userId), now: options.clock() })
      return sessions.map(({ id, createdAt, rotatedAt, expiresAt }) => ({
        id,
        createdAt: new Date(createdAt),
        refreshedAt: rotatedAt === null ? null : new Date(rotatedAt),
        expiresAt: new Date(expiresAt)
      }))
    },

    cleanup: () => cleanup(services)
  }
}
