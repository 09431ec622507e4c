import { and, desc, eq, isNull, lt, or, sql } from 'drizzle-orm'
import type { ExpiringKind } from '../contract.ts'
import { createAssignments } from './assignments.ts'
import { createConditions } from './conditions.ts'
import type { Dialect, Statement } from './dialect.ts'

/**
 * The statements that are the same in all dialects. Reads bypass a cache that the application may have given its Drizzle
 * database, because a cached session would hide a logout.
 */
export function createStatements (dialect: Dialect) {
  const { db, tables, readFirst, readAll, execute, write, emailIs, removeExpired } = dialect
  const { challenges, counters, sessions, users } = tables
  const { newChallenge, renewal, decrement, newSession, rotation, revocation } = createAssignments(tables)
  const { challengeIsLive, acceptsUnboundAttempt, sessionIsLive } = createConditions(tables)
  const value = sql.placeholder

  return {
    insertChallenge: execute(() => db.insert(challenges).values(newChallenge)),
    renewChallenge: write(() => db.update(challenges).set(renewal)
      .where(and(eq(challenges.id, value('id')), eq(challenges.emailHash, value('emailHash')), challengeIsLive))),
    findChallenge: readFirst(() => db.select().from(challenges).where(eq(challenges.id, value('id'))).$withCache(false)),
    hasLiveChallenge: readFirst(() => db.select({ id: challenges.id }).from(challenges)
      .where(acceptsUnboundAttempt).limit(1).$withCache(false)),

    decrementCounter: execute(() => db.update(counters).set(decrement).where(eq(counters.key, value('key')))),
    resetConsecutiveFailures: execute(() => db.update(counters).set({ consecutiveFailures: 0 }).where(eq(counters.key, value('key')))),
    readCounter: readFirst(() => db.select().from(counters).where(eq(counters.key, value('key'))).$withCache(false)),

    findUser: readFirst(() => db.select().from(users).where(emailIs(value('email'))).$withCache(false)),
    firstEmails: readAll(() => db.select({ email: users.email }).from(users).limit(value('limit')).$withCache(false)),

    insertSession: execute(() => db.insert(sessions).values(newSession)),
    // One round trip. Each row is found by its own primary key. The two user IDs are not compared here, because they may have
    // different types, and because a planner may prefer the index of `user_id` and read all sessions of that user.
    loadSession: readFirst(() => db.select({ session: sessions, user: users }).from(sessions)
      .innerJoin(users, eq(users.id, sql.param(value('id'), users.id)))
      .where(eq(sessions.id, value('sessionId'))).$withCache(false)),
    rotateSession: write(() => db.update(sessions).set(rotation).where(and(
      eq(sessions.id, value('id')),
      eq(sessions.seq, value('seq')),
      sessionIsLive,
      or(isNull(sessions.rotatedAt), lt(sessions.rotatedAt, value('rotatedBefore')))
    ))),
    revokeSession: write(() => db.update(sessions).set(revocation)
      .where(and(eq(sessions.id, value('id')), isNull(sessions.revokedAt)))),
    revokeUserSessions: write(() => db.update(sessions).set(revocation)
      .where(and(eq(sessions.userId, value('userId')), isNull(sessions.revokedAt), lt(sessions.createdAt, value('startedBefore'))))),
    listSessions: readAll(() => db.select().from(sessions).where(and(eq(sessions.userId, value('userId')), sessionIsLive))
      .orderBy(desc(sessions.createdAt), desc(sessions.id)).$withCache(false)),

    removeExpired: {
      challenges: removeExpired(challenges, challenges.id, challenges.expiresAt),
      counters: removeExpired(counters, counters.key, counters.expiresAt),
      sessions: removeExpired(sessions, sessions.id, sessions.idleExpiresAt)
    } satisfies Record<ExpiringKind, Statement<number>>
  }
}
