import { and, eq, gt, inArray, isNull, lt, lte, or, sql, type SQL } from 'drizzle-orm'
import type { Tables } from './dialect.ts'

/** The conditions that several statements share. */
export function createConditions ({ challenges, counters, sessions }: Tables) {
  const value = sql.placeholder
  const challengeIsLive = and(isNull(challenges.consumedAt), gt(challenges.expiresAt, value('now')))
  const attemptsAreLeft = lt(challenges.attempts, value('maxAttempts'))
  const previousCodeIsLive = gt(challenges.previousExpiresAt, value('now'))

  /** The entered code is the newest one, or the previous one if that is still live. */
  const codeFits = (macCount: number): SQL => {
    const macs = Array.from({ length: macCount }, (_, position) => value(`mac${position}`))
    return or(inArray(challenges.codeMac, macs), and(inArray(challenges.previousMac, macs), previousCodeIsLive))!
  }

  const hasCodeOfLength = or(
    eq(challenges.codeLength, value('codeLength')),
    and(eq(challenges.previousLength, value('codeLength')), previousCodeIsLive)
  )

  /** The address has a challenge that an unbound attempt of this length would be compared with. */
  const acceptsUnboundAttempt = and(eq(challenges.emailHash, value('emailHash')), challengeIsLive, attemptsAreLeft, hasCodeOfLength)

  return {
    challengeIsLive,
    codeFits,

    acceptsUnboundAttempt,
    acceptsBoundAttempt: and(eq(challenges.id, value('id')), acceptsUnboundAttempt),
    canBeConsumed: (macCount: number) =>
      and(eq(challenges.emailHash, value('emailHash')), challengeIsLive, attemptsAreLeft, codeFits(macCount)),

    /** The cooldown is over, and both windows are below their limits. A window that has ended does not limit anything. */
    isWithinLimits: and(
      lte(counters.lastAt, value('lastBefore')),
      or(lt(counters.shortCount, value('shortLimit')), lte(counters.shortFrom, value('shortStart'))),
      or(lt(counters.longCount, value('longLimit')), lte(counters.longFrom, value('longStart')))
    ),

    sessionIsLive: and(isNull(sessions.revokedAt), gt(sessions.expiresAt, value('now')), gt(sessions.idleExpiresAt, value('now')))
  }
}
