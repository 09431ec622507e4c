import { cleanup } from '../flows/cleanup.ts'
import { startSession } from '../flows/sessions.ts'
import type { HttpContext } from '../http/context.ts'
import { setRefreshCookie } from '../http/token-answer.ts'
import type { OtpAuth } from '../types.ts'

/** `app.otpAuth`: what the host's own code asks for, by the same flows. */
export function createOtpAuth (context: HttpContext): OtpAuth {
  const { flow } = context
  const { storage, options } = flow

  return {
    async issueTokens (row, reply) {
      const tokens = await startSession(flow, { id: storage.userId(row), row }, reply?.request)
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

    cleanup: () => cleanup(flow)
  }
}
