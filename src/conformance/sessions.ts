import assert from 'node:assert/strict'
import type { Session, SessionRotation } from '../storage/contract.ts'
import { now, oneTo, rounds, type RegisterCase } from './harness.ts'

const day = 86_400_000

export const aSession = (given: Partial<Session> = {}): Session => ({
  id: 'session',
  userId: 'user',
  seq: 0,
  rotatedAt: null,
  createdAt: now,
  idleExpiresAt: now + 7 * day,
  expiresAt: now + 30 * day,
  revokedAt: null,
  ...given
})

const aRotation = (given: Partial<SessionRotation> = {}): SessionRotation =>
  ({ id: 'session', seq: 0, now: now + day, rotatedBefore: now + day - 30_000, idleExpiresAt: now + 8 * day, ...given })

export function sessionCases (register: RegisterCase): void {
  loadCases(register)
  rotationCases(register)
  revocationCases(register)
}

function loadCases (register: RegisterCase): void {
  register('a session and its user read back as they were stored, times to the millisecond', async ({ storage, other, insertUserRow }) => {
    const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
    const started = aSession({ id: 's'.repeat(64), userId })
    const over = aSession({ id: 'over', userId, seq: 12, rotatedAt: now + 1, revokedAt: now + 2, idleExpiresAt: now + 3, expiresAt: now + 4 })
    for (const session of [started, over]) {
      await storage.insertSession(session)
      const loaded = (await other.loadSession({ sessionId: session.id, userId }))!
      assert.deepEqual(loaded.session, session)
      const { row, ...user } = loaded.user
      assert.deepEqual(user, { id: userId, email: 'mike@x.io', isVerified: true })
      assert.equal(storage.userId(row), userId)
    }
  })

  register('no session is loaded under an unknown id, or one of other case', async ({ storage, insertUserRow }) => {
    const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
    await storage.insertSession(aSession({ userId }))
    assert.equal(await storage.loadSession({ sessionId: 'unknown', userId }), null)
    assert.equal(await storage.loadSession({ sessionId: 'SESSION', userId }), null)
  })

  register('no session is loaded for another user', async ({ storage, insertUserRow }) => {
    const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
    const another = await insertUserRow({ email: 'anna@x.io', isVerified: true })
    await storage.insertSession(aSession({ userId }))
    assert.equal(await storage.loadSession({ sessionId: 'session', userId: another }), null)
  })

  register('no session is loaded whose user is missing, or whose user id no column could hold', async ({ storage, insertUserRow }) => {
    const existing = await insertUserRow({ email: 'mike@x.io', isVerified: true })
    const missing = [
      'nobody', '987654321', '-1', 'f'.repeat(24), '00000000-0000-4000-8000-000000000000',
      '', ' ', '1e3', '0x10', '1.5', 'NaN', 'null', '9'.repeat(15), '9'.repeat(19), '9'.repeat(30), `${existing}x`
    ]
    for (const [position, userId] of missing.entries()) {
      const sessionId = `session-${position}`
      await storage.insertSession(aSession({ id: sessionId, userId }))
      assert.equal(await storage.loadSession({ sessionId, userId }), null, `user id ${JSON.stringify(userId)}`)
    }
  })

  register('an id that is taken is refused and its session stays', async ({ storage }) => {
    await storage.insertSession(aSession())
    await assert.rejects(storage.insertSession(aSession({ userId: 'thief' })))
    assert.deepEqual(await storage.listSessions({ userId: 'user', now }), [aSession()])
  })

  register("a user's sessions are listed newest first, without those over, revoked or another's", async ({ storage }) => {
    const alive = [3, 1, 2].map((at) => aSession({ id: `session-${at}`, createdAt: now + at }))
    const others = [
      aSession({ id: 'idle', idleExpiresAt: now + day }),
      aSession({ id: 'over', expiresAt: now + day, idleExpiresAt: now + day }),
      aSession({ id: 'revoked', revokedAt: now }),
      aSession({ id: 'foreign', userId: 'another' }),
      aSession({ id: 'case', userId: 'USER' })
    ]
    for (const session of [...alive, ...others]) await storage.insertSession(session)
    assert.deepEqual(await storage.listSessions({ userId: 'user', now: now + day }), [alive[0], alive[2], alive[1]])
    assert.equal((await storage.listSessions({ userId: 'user', now: now + day - 1 })).length, 5)
    assert.deepEqual(await storage.listSessions({ userId: 'nobody', now }), [])
  })
}

function rotationCases (register: RegisterCase): void {
  register('a rotation advances the session by one step', async ({ storage, other }) => {
    await storage.insertSession(aSession())
    assert.equal(await storage.rotateSession(aRotation()), true)
    assert.deepEqual(await other.listSessions({ userId: 'user', now }), [
      aSession({ seq: 1, rotatedAt: now + day, idleExpiresAt: now + 8 * day })
    ])
  })

  register('a rotation of another step, an unknown, a revoked or an expired session changes nothing', async ({ storage }) => {
    const session = aSession({ seq: 5 })
    await storage.insertSession(session)
    await storage.insertSession(aSession({ id: 'revoked', revokedAt: now }))
    assert.equal(await storage.rotateSession(aRotation({ seq: 4 })), false)
    assert.equal(await storage.rotateSession(aRotation({ seq: 6 })), false)
    assert.equal(await storage.rotateSession(aRotation({ seq: 5, id: 'unknown' })), false)
    assert.equal(await storage.rotateSession(aRotation({ seq: 5, id: 'SESSION' })), false)
    assert.equal(await storage.rotateSession(aRotation({ id: 'revoked' })), false)
    assert.equal(await storage.rotateSession(aRotation({ seq: 5, now: session.idleExpiresAt })), false)
    assert.deepEqual(await storage.listSessions({ userId: 'user', now }), [session])
    assert.equal(await storage.rotateSession(aRotation({ seq: 5, now: session.idleExpiresAt - 1 })), true)
  })

  register('a rotation is refused from the absolute expiry on, whatever the idle one', async ({ storage }) => {
    await storage.insertSession(aSession({ expiresAt: now + day, idleExpiresAt: now + 2 * day }))
    assert.equal(await storage.rotateSession(aRotation({ now: now + day })), false)
    assert.equal(await storage.rotateSession(aRotation({ now: now + day - 1 })), true)
  })

  register('a rotation is refused unless the last one came before the grace period', async ({ storage }) => {
    await storage.insertSession(aSession({ rotatedAt: now }))
    assert.equal(await storage.rotateSession(aRotation({ rotatedBefore: now - 1 })), false)
    assert.equal(await storage.rotateSession(aRotation({ rotatedBefore: now })), false)
    assert.equal(await storage.rotateSession(aRotation({ rotatedBefore: now + 1 })), true)
  })

  register('steps are counted as numbers past nine', async ({ storage }) => {
    await storage.insertSession(aSession())
    for (const step of oneTo(12)) {
      assert.equal(await storage.rotateSession(aRotation({ seq: step - 1, rotatedBefore: now + 2 * day })), true)
      assert.equal((await storage.listSessions({ userId: 'user', now }))[0]!.seq, step)
    }
  })

  register('of parallel rotations one advances the session', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const id = `session-${round}`
      const userId = `user-${round}`
      await storage.insertSession(aSession({ id, userId }))
      const advanced = await race((adapter) => adapter.rotateSession(aRotation({ id })))
      assert.equal(advanced.filter(Boolean).length, 1)
      assert.equal((await storage.listSessions({ userId, now }))[0]!.seq, 1)
    }
  })

  register('rotations that race a revocation never revive the session', async ({ storage, race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const id = `session-${round}`
      await storage.insertSession(aSession({ id }))
      const revoker = Math.floor(parallel * (round - 1) / rounds)
      const outcomes = await race((adapter, position) => position === revoker
        ? adapter.revokeSession({ id, now })
        : adapter.rotateSession(aRotation({ id })))
      assert.equal(outcomes[revoker], true)
      assert.ok(outcomes.filter(Boolean).length <= 2)
      assert.deepEqual(await storage.listSessions({ userId: 'user', now }), [])
      for (const seq of [0, 1]) assert.equal(await storage.rotateSession(aRotation({ id, seq, rotatedBefore: now + 2 * day })), false)
    }
  })
}

function revocationCases (register: RegisterCase): void {
  register('a revoked session stays to be read, with the time of its first revocation', async ({ storage, other, insertUserRow }) => {
    const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
    await storage.insertSession(aSession({ userId }))
    assert.equal(await storage.revokeSession({ id: 'SESSION', now }), false)
    assert.equal(await storage.revokeSession({ id: 'unknown', now }), false)
    assert.equal(await storage.revokeSession({ id: 'session', now: now + 1 }), true)
    assert.equal(await other.revokeSession({ id: 'session', now: now + 2 }), false)
    assert.deepEqual((await other.loadSession({ sessionId: 'session', userId }))!.session, aSession({ userId, revokedAt: now + 1 }))
  })

  register('of parallel revocations one ends the session', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const id = `session-${round}`
      await storage.insertSession(aSession({ id }))
      assert.equal((await race((adapter) => adapter.revokeSession({ id, now }))).filter(Boolean).length, 1)
    }
  })

  register("a user's sessions that began before a moment are revoked and counted, nobody else's", async ({ storage, insertUserRow }) => {
    const userId = await insertUserRow({ email: 'mike@x.io', isVerified: true })
    const another = await insertUserRow({ email: 'anna@x.io', isVerified: true })
    const sessions = [
      aSession({ id: 'older', userId, createdAt: now - day }),
      aSession({ id: 'old', userId, createdAt: now - 1 }),
      aSession({ id: 'same', userId, createdAt: now }),
      aSession({ id: 'new', userId, createdAt: now + 1 }),
      aSession({ id: 'revoked', userId, createdAt: now - day, revokedAt: now - 5 }),
      aSession({ id: 'foreign', userId: another, createdAt: now - day })
    ]
    for (const session of sessions) await storage.insertSession(session)
    const revocation = { userId, startedBefore: now, now: now + 2 }
    assert.equal(await storage.revokeUserSessions(revocation), 2)
    const revokedAt = await Promise.all(sessions.map(async (session) =>
      (await storage.loadSession({ sessionId: session.id, userId: session.userId }))!.session.revokedAt))
    assert.deepEqual(revokedAt, [now + 2, now + 2, null, null, now - 5, null])
    assert.equal(await storage.revokeUserSessions(revocation), 0)
  })

  register('parallel revocations of all sessions end each of them once', async ({ storage, race }) => {
    for (const number of oneTo(12)) await storage.insertSession(aSession({ id: `session-${number}` }))
    const counts = await race((adapter) => adapter.revokeUserSessions({ userId: 'user', startedBefore: now + 1, now }))
    assert.equal(counts.reduce((sum, count) => sum + count, 0), 12)
  })
}
