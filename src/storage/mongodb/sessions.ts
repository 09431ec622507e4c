import type { OtpAuthStorage, Session } from '../contract.ts'
import type { Collections } from './collections.ts'
import type { WithDeadline } from './deadline.ts'
import { dateOrNull, millisecondsOrNull, type SessionDocument } from './documents.ts'
import { findUserById } from './users.ts'

type SessionVerbs = Pick<OtpAuthStorage,
  'insertSession' | 'loadSession' | 'rotateSession' | 'revokeSession' | 'revokeUserSessions' | 'listSessions'>

export function sessionVerbs ({ sessions, users }: Collections, withDeadline: WithDeadline): SessionVerbs {
  return {
    async insertSession ({ id, userId, seq, rotatedAt, createdAt, idleExpiresAt, expiresAt, revokedAt }) {
      await withDeadline((deadline) => sessions.insertOne({
        _id: id,
        userId,
        seq,
        rotatedAt: dateOrNull(rotatedAt),
        createdAt: new Date(createdAt),
        idleExpiresAt: new Date(idleExpiresAt),
        expiresAt: new Date(expiresAt),
        revokedAt: dateOrNull(revokedAt)
      }, deadline))
    },

    async loadSession ({ sessionId, userId }) {
      const [session, user] = await withDeadline((deadline) => Promise.all([
        sessions.findOne({ _id: sessionId, userId }, deadline),
        findUserById(users, userId, deadline)
      ]))
      return session === null || user === null ? null : { session: toSession(session), user }
    },

    async rotateSession ({ id, seq, now, rotatedBefore, idleExpiresAt }) {
      const rotated = await withDeadline((deadline) => sessions.updateOne({
        _id: id,
        seq,
        ...liveAt(now),
        $or: [{ rotatedAt: null }, { rotatedAt: { $lt: new Date(rotatedBefore) } }]
      }, {
        $inc: { seq: 1 },
        $set: { rotatedAt: new Date(now), idleExpiresAt: new Date(idleExpiresAt) }
      }, deadline))
      return rotated.matchedCount === 1
    },

    async revokeSession ({ id, now }) {
      const revoked = await withDeadline((deadline) => sessions.updateOne(
        { _id: id, revokedAt: null }, { $set: { revokedAt: new Date(now) } }, deadline
      ))
      return revoked.matchedCount === 1
    },

    async revokeUserSessions ({ userId, startedBefore, now }) {
      const revoked = await withDeadline((deadline) => sessions.updateMany(
        { userId, revokedAt: null, createdAt: { $lt: new Date(startedBefore) } },
        { $set: { revokedAt: new Date(now) } },
        deadline
      ))
      return revoked.matchedCount
    },

    async listSessions ({ userId, now }) {
      const live = await withDeadline((deadline) => sessions.find({ userId, ...liveAt(now) }, deadline)
        .sort({ createdAt: -1, _id: -1 }).toArray())
      return live.map(toSession)
    }
  }
}

function liveAt (now: number) {
  const at = new Date(now)
  return { revokedAt: null, expiresAt: { $gt: at }, idleExpiresAt: { $gt: at } }
}

function toSession ({ _id, ...session }: SessionDocument): Session {
  return {
    ...session,
    id: _id,
    rotatedAt: millisecondsOrNull(session.rotatedAt),
    createdAt: session.createdAt.getTime(),
    idleExpiresAt: session.idleExpiresAt.getTime(),
    expiresAt: session.expiresAt.getTime(),
    revokedAt: millisecondsOrNull(session.revokedAt)
  }
}
