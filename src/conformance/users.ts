import assert from 'node:assert/strict'
import type { OtpAuthStorage, UserRecord } from '../storage/contract.ts'
import { oneTo, rounds, type RegisterCase } from './harness.ts'

const email = 'mike@x.io'

/** Addresses that a collation which ignores case, accents or trailing spaces would treat as `mike@x.io`. */
const lookalikes = ['m\u0131ke@x.io', 'mik\u00e9@x.io', 'Mike@x.io', 'mike@x.io ']

const withoutRow = ({ row, ...record }: UserRecord): Omit<UserRecord, 'row'> => record

async function insertUser (storage: OtpAuthStorage, address: string): Promise<UserRecord> {
  const result = await storage.insertUser({ email: address, fields: {} })
  assert.ok('user' in result)
  return result.user
}

export function userCases (register: RegisterCase): void {
  register('a new user is unverified and can be found, also through another connection', async ({ storage, other }) => {
    assert.equal(await storage.findUser(email), null)
    const user = await insertUser(storage, email)
    assert.deepEqual(withoutRow(user), { id: user.id, email, isVerified: false })
    assert.equal(typeof user.id, 'string')
    assert.equal(storage.userId(user.row), user.id)
    const found = (await other.findUser(email))!
    assert.deepEqual(withoutRow(found), withoutRow(user))
    assert.equal(other.userId(found.row), user.id)
  })

  register('a user row of the application is found unchanged', async ({ storage, insertUserRow }) => {
    const id = await insertUserRow({ email, isVerified: false })
    assert.deepEqual(withoutRow((await storage.findUser(email))!), { id, email, isVerified: false })
  })

  register('an existing address is refused with an error, and its user is unchanged', async ({ storage, insertUserRow }) => {
    const id = await insertUserRow({ email, isVerified: false })
    const result = await storage.insertUser({ email, fields: {} })
    assert.ok('refused' in result)
    assert.ok(result.refused instanceof Error)
    assert.deepEqual(withoutRow((await storage.findUser(email))!), { id, email, isVerified: false })
  })

  register('an unverified user is verified once', async ({ storage, other, insertUserRow }) => {
    const id = await insertUserRow({ email, isVerified: false })
    const verified = (await storage.verifyUser(email))!
    assert.deepEqual(withoutRow(verified), { id, email, isVerified: true })
    assert.equal(storage.userId(verified.row), id)
    assert.equal(await other.verifyUser(email), null)
    assert.deepEqual(withoutRow((await other.findUser(email))!), { id, email, isVerified: true })
  })

  register('verifying an unknown or already verified address returns no user', async ({ storage, insertUserRow }) => {
    assert.equal(await storage.verifyUser(email), null)
    assert.equal(await storage.findUser(email), null)
    await insertUserRow({ email, isVerified: true })
    assert.equal(await storage.verifyUser(email), null)
  })

  register('an address that looks like another does not find or verify its user', async ({ storage, insertUserRow }) => {
    const id = await insertUserRow({ email, isVerified: false })
    for (const lookalike of lookalikes) {
      assert.equal(await storage.findUser(lookalike), null, lookalike)
      assert.equal(await storage.verifyUser(lookalike), null, lookalike)
    }
    assert.deepEqual(withoutRow((await storage.findUser(email))!), { id, email, isVerified: false })
  })

  register('an address that looks like another gets a separate user', async ({ storage, insertUserRow }) => {
    const ids = new Set([await insertUserRow({ email, isVerified: false })])
    // The last one is left out: a unique index that ignores trailing spaces may refuse it, and no normalized address ends in a space.
    for (const lookalike of lookalikes.slice(0, -1)) {
      const user = await insertUser(storage, lookalike)
      assert.equal(user.email, lookalike)
      ids.add(user.id)
    }
    assert.equal(ids.size, lookalikes.length)
    assert.equal((await storage.findUser(email))!.isVerified, false)
  })

  register('only one of many parallel verifications verifies the user', async ({ race, insertUserRow }) => {
    for (const round of oneTo(rounds)) {
      const address = `user-${round}@x.io`
      const id = await insertUserRow({ email: address, isVerified: false })
      const winners = (await race((adapter) => adapter.verifyUser(address))).filter((user) => user !== null)
      assert.deepEqual(winners.map(withoutRow), [{ id, email: address, isVerified: true }])
    }
  })

  register('only one of many parallel inserts of one address creates the user, and the others are refused with an error', async ({ storage, race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const address = `user-${round}@x.io`
      const results = await race((adapter) => adapter.insertUser({ email: address, fields: {} }))
      const created = results.flatMap((result) => 'user' in result ? [withoutRow(result.user)] : [])
      const refused = results.flatMap((result) => 'refused' in result ? [result.refused] : [])
      assert.deepEqual(created, [withoutRow((await storage.findUser(address))!)])
      assert.equal(refused.length, parallel - 1)
      assert.ok(refused.every((error) => error instanceof Error))
    }
  })

  register('parallel inserts of different addresses create every user', async ({ race, parallel }) => {
    const users = await race((adapter, position) => insertUser(adapter, `user-${position}@x.io`))
    assert.equal(new Set(users.map(({ id }) => id)).size, parallel)
  })

  register('addresses with upper-case ASCII letters are detected, and other upper-case letters are ignored', async ({ storage, insertUserRow }) => {
    assert.equal(await storage.hasMixedCaseEmails(10), false)
    await insertUserRow({ email, isVerified: true })
    await insertUserRow({ email: '\u00c9lodie@x.io', isVerified: true })
    assert.equal(await storage.hasMixedCaseEmails(2), false)
    await insertUserRow({ email: 'Anna@x.io', isVerified: true })
    assert.equal(await storage.hasMixedCaseEmails(3), true)
  })
}
