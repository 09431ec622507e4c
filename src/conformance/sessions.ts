import assert from 'node:assert/strict'
import { day, makeRotation, makeSession, now } from './fixtures.ts'
import { oneTo, rounds, type RegisterCase } from './harness.ts'

export function sessionCases (register: RegisterCase): void {
  loadCases(register)
  rotationCases(register)
  revocationCases(register)
}

function loadCases (register: RegisterCase): void {
  register('a session and its user are read as they were stored, with times to the millisecond', async ({ storage, other, insertMike }) => {
    const userId = await insertMike()
    const fresh = makeSession({ id: 's'.repeat(64), userId })
    const ended = makeSession({ id: 'ended', userId, seq: 12, rotatedAt: now + 1, revokedAt: now + 2, idleExpiresAt: now + 3, expiresAt: now + 4 })
    for (const session of [fresh, ended]) {
      await storage.insertSession(session)
      const loaded = (await other.loadSession({ sessionId: session.id, userId }))!
      assert.deepEqual(loaded.session, session)
      const { row, ...user } = loaded.user
      assert.deepEqual(user, { id: userId, email: 'mike@x.io', isVerified: true })
      assert.equal(storage.userId(row), userId)
    }
  })

  register('no session is loaded for an unknown ID or an ID in another case', async ({ storage, insertMike }) => {
    const userId = await insertMike()
    await storage.insertSession(makeSession({ userId }))
    assert.equal(await storage.loadSession({ sessionId: 'unknown', userId }), null)
    assert.equal(await storage.loadSession({ sessionId: 'SESSION', userId }), null)
  })

  register('no session is loaded for another user', async ({ storage, insertMike, insertUserRow }) => {
    const userId = await insertMike()
    const another = await insertUserRow({ email: 'anna@x.io', isVerified: true })
    await storage.insertSession(makeSession({ userId }))
    assert.equal(await storage.loadSession({ sessionId: 'session', userId: another }), null)
  })

  register('no session is loaded if its user is missing or if the user ID does not fit the type of the ID column', async ({ storage, insertMike }) => {
    const existing = await insertMike()
    const missing = [
      'nobody', '987654321', '-1', 'f'.repeat(24), '00000000-0000-4000-8000-000000000000',
      '', ' ', '1e3', '0x10', '1.5', 'NaN', 'null', '9'.repeat(15), '9'.repeat(19), '9'.repeat(30), `${existing}x`
    ]
    for (const [position, userId] of missing.entries()) {
      const sessionId = `session-${position}`
      await storage.insertSession(makeSession({ id: sessionId, userId }))
      assert.equal(await storage.loadSession({ sessionId, userId }), null, `user ID ${JSON.stringify(userId)}`)
    }
  })

  register('a session with an existing ID is refused, and the existing session is unchanged', async ({ storage }) => {
    await storage.insertSession(makeSession())
    await assert.rejects(storage.insertSession(makeSession({ userId: 'another' })))
    assert.deepEqual(await storage.listSessions({ userId: 'user', now }), [makeSession()])
  })

  register("a user's sessions are listed newest first, without expired, revoked and other users' sessions", async ({ storage }) => {
    const live = [3, 1, 2].map((at) => makeSession({ id: `session-${at}`, createdAt: now + at }))
    const others = [
      makeSession({ id: 'idle', idleExpiresAt: now + day }),
      makeSession({ id: 'expired', expiresAt: now + day, idleExpiresAt: now + day }),
      makeSession({ id: 'revoked', revokedAt: now }),
      makeSession({ id: 'foreign', userId: 'another' }),
      makeSession({ id: 'case', userId: 'USER' })
    ]
    for (const session of [...live, ...others]) await storage.insertSession(session)
    assert.deepEqual(await storage.listSessions({ userId: 'user', now: now + day }), [live[0], live[2], live[1]])
    assert.equal((await storage.listSessions({ userId: 'user', now: now + day - 1 })).length, 5)
    assert.deepEqual(await storage.listSessions({ userId: 'nobody', now }), [])
  })
}

function rotationCases (register: RegisterCase): void {
  register('a rotation adds one to the sequence number of the session', async ({ storage, other }) => {
    await storage.insertSession(makeSession())
    assert.equal(await storage.rotateSession(makeRotation()), true)
    assert.deepEqual(await other.listSessions({ userId: 'user', now }), [
      makeSession({ seq: 1, rotatedAt: now + day, idleExpiresAt: now + 8 * day })
    ])
  })

  register('a rotation changes nothing if the sequence number differs or the session is unknown, revoked or expired', async ({ storage }) => {
    const session = makeSession({ seq: 5 })
    await storage.insertSession(session)
    await storage.insertSession(makeSession({ id: 'revoked', revokedAt: now }))
    assert.equal(await storage.rotateSession(makeRotation({ seq: 4 })), false)
    assert.equal(await storage.rotateSession(makeRotation({ seq: 6 })), false)
    assert.equal(await storage.rotateSession(makeRotation({ seq: 5, id: 'unknown' })), false)
    assert.equal(await storage.rotateSession(makeRotation({ seq: 5, id: 'SESSION' })), false)
    assert.equal(await storage.rotateSession(makeRotation({ id: 'revoked' })), false)
    assert.equal(await storage.rotateSession(makeRotation({ seq: 5, now: session.idleExpiresAt })), false)
    assert.deepEqual(await storage.listSessions({ userId: 'user', now }), [session])
    assert.equal(await storage.rotateSession(makeRotation({ seq: 5, now: session.idleExpiresAt - 1 })), true)
  })

  register('a rotation is refused from the absolute expiry on, even if the idle expiry is later', async ({ storage }) => {
    await storage.insertSession(makeSession({ expiresAt: now + day, idleExpiresAt: now + 2 * day }))
    assert.equal(await storage.rotateSession(makeRotation({ now: now + day })), false)
    assert.equal(await storage.rotateSession(makeRotation({ now: now + day - 1 })), true)
  })

  register('a rotation is refused during the grace period of the last one', async ({ storage }) => {
    await storage.insertSession(makeSession({ rotatedAt: now }))
    assert.equal(await storage.rotateSession(makeRotation({ rotatedBefore: now - 1 })), false)
    assert.equal(await storage.rotateSession(makeRotation({ rotatedBefore: now })), false)
    assert.equal(await storage.rotateSession(makeRotation({ rotatedBefore: now + 1 })), true)
  })

  register('sequence numbers are counted as numbers, not as text', async ({ storage }) => {
    await storage.insertSession(makeSession())
    for (const step of oneTo(12)) {
      assert.equal(await storage.rotateSession(makeRotation({ seq: step - 1, rotatedBefore: now + 2 * day })), true)
      assert.equal((await storage.listSessions({ userId: 'user', now }))[0]!.seq, step)
    }
  })

  register('only one of many parallel rotations takes effect', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const id = `session-${round}`
      const userId = `user-${round}`
      await storage.insertSession(makeSession({ id, userId }))
      const rotated = await race((adapter) => adapter.rotateSession(makeRotation({ id })))
      assert.equal(rotated.filter(Boolean).length, 1)
      assert.equal((await storage.listSessions({ userId, now }))[0]!.seq, 1)
    }
  })

  register('rotations in parallel with a revocation never revive the session', async ({ storage, race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const id = `session-${round}`
      await storage.insertSession(makeSession({ id }))
      const revocation = Math.floor(parallel * (round - 1) / rounds)
      const results = await race((adapter, position) => position === revocation
        ? adapter.revokeSession({ id, now })
        : adapter.rotateSession(makeRotation({ id })))
      assert.equal(results[revocation], true)
      assert.ok(results.filter(Boolean).length <= 2)
      assert.deepEqual(await storage.listSessions({ userId: 'user', now }), [])
      for (const seq of [0, 1]) assert.equal(await storage.rotateSession(makeRotation({ id, seq, rotatedBefore: now + 2 * day })), false)
    }
  })
}

function revocationCases (register: RegisterCase): void {
  register('a revoked session can still be read, with the time of its first revocation', async ({ storage, other, insertMike }) => {
    const userId = await insertMike()
    await storage.insertSession(makeSession({ userId }))
    assert.equal(await storage.revokeSession({ id: 'SESSION', now }), false)
    assert.equal(await storage.revokeSession({ id: 'unknown', now }), false)
    assert.equal(await storage.revokeSession({ id: 'session', now: now + 1 }), true)
    assert.equal(await other.revokeSession({ id: 'session', now: now + 2 }), false)
    assert.deepEqual((await other.loadSession({ sessionId: 'session', userId }))!.session, makeSession({ userId, revokedAt: now + 1 }))
  })

  register('only one of many parallel revocations of a session takes effect', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const id = `session-${round}`
      await storage.insertSession(makeSession({ id }))
      assert.equal((await race((adapter) => adapter.revokeSession({ id, now }))).filter(Boolean).length, 1)
    }
  })

  register("a user's sessions that started before a given time are revoked and counted, and no others", async ({ storage, insertMike, insertUserRow }) => {
    const userId = await insertMike()
    const another = await insertUserRow({ email: 'anna@x.io', isVerified: true })
    const sessions = [
      makeSession({ id: 'older', userId, createdAt: now - day }),
      makeSession({ id: 'old', userId, createdAt: now - 1 }),
      makeSession({ id: 'same', userId, createdAt: now }),
      makeSession({ id: 'new', userId, createdAt: now + 1 }),
      makeSession({ id: 'revoked', userId, createdAt: now - day, revokedAt: now - 5 }),
      makeSession({ id: 'foreign', userId: another, createdAt: now - day })
    ]
    for (const session of sessions) await storage.insertSession(session)
    const revocation = { userId, startedBefore: now, now: now + 2 }
    assert.equal(await storage.revokeUserSessions(revocation), 2)
    const revokedAt = await Promise.all(sessions.map(async (session) =>
      (await storage.loadSession({ sessionId: session.id, userId: session.userId }))!.session.revokedAt))
    assert.deepEqual(revokedAt, [now + 2, now + 2, null, null, now - 5, null])
    assert.equal(await storage.revokeUserSessions(revocation), 0)
  })

  register('parallel revocations of all sessions revoke each session once', async ({ storage, race }) => {
    for (const number of oneTo(12)) await storage.insertSession(makeSession({ id: `session-${number}` }))
    const counts = await race((adapter) => adapter.revokeUserSessions({ userId: 'user', startedBefore: now + 1, now }))
    assert.equal(counts.reduce((sum, count) => sum + count, 0), 12)
  })
}
