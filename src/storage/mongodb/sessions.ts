import type { Collection } from 'mongodb'
import type { OtpAuthStorage, Session, UserRecord } from '../contract.ts'
import type { SessionDocument } from './documents.ts'
import { dateOrNull, millisecondsOrNull, type Bounded, type Limits } from './shared.ts'

type SessionVerbs = Pick<OtpAuthStorage,
  'insertSession' | 'loadSession' | 'rotateSession' | 'revokeSession' | 'revokeUserSessions' | 'listSessions'>

export function sessionVerbs (
  sessions: Collection<SessionDocument>,
  findUserById: (id: string, limits: Limits) => Promise<UserRecord | null>,
  bounded: Bounded
): SessionVerbs {
  return {
    async insertSession ({ id, userId, seq, rotatedAt, createdAt, idleExpiresAt, expiresAt, revokedAt }) {
      await bounded((limits) => sessions.insertOne({
        _id: id,
        userId,
        seq,
        rotatedAt: dateOrNull(rotatedAt),
        createdAt: new Date(createdAt),
        idleExpiresAt: new Date(idleExpiresAt),
        expiresAt: new Date(expiresAt),
        revokedAt: dateOrNull(revokedAt)
      }, limits))
    },

    async loadSession ({ sessionId, userId }) {
      const [session, user] = await bounded((limits) => Promise.all([
        sessions.findOne({ _id: sessionId, userId }, limits),
        findUserById(userId, limits)
      ]))
      return session === null || user === null ? null : { session: toSession(session), user }
    },

    async rotateSession ({ id, seq, now, rotatedBefore, idleExpiresAt }) {
      const rotated = await bounded((limits) => sessions.updateOne({
        _id: id,
        seq,
        ...isLive(now),
        $or: [{ rotatedAt: null }, { rotatedAt: { $lt: new Date(rotatedBefore) } }]
      }, {
        $inc: { seq: 1 },
        $set: { rotatedAt: new Date(now), idleExpiresAt: new Date(idleExpiresAt) }
      }, limits))
      return rotated.matchedCount === 1
    },

    async revokeSession ({ id, now }) {
      const revoked = await bounded((limits) => sessions.updateOne(
        { _id: id, revokedAt: null }, { $set: { revokedAt: new Date(now) } }, limits
      ))
      return revoked.matchedCount === 1
    },

    async revokeUserSessions ({ userId, startedBefore, now }) {
      const revoked = await bounded((limits) => sessions.updateMany(
        { userId, revokedAt: null, createdAt: { $lt: new Date(startedBefore) } },
        { $set: { revokedAt: new Date(now) } },
        limits
      ))
      return revoked.matchedCount
    },

    async listSessions ({ userId, now }) {
      const live = await bounded((limits) => sessions.find({ userId, ...isLive(now) }, limits)
        .sort({ createdAt: -1, _id: -1 }).toArray())
      return live.map(toSession)
    }
  }
}

function isLive (now: number) {
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
