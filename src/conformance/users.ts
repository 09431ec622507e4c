import assert from 'node:assert/strict'
import type { OtpAuthStorage, UserRecord } from '../storage/contract.ts'
import { oneTo, rounds, type RegisterCase } from './harness.ts'

const email = 'mike@x.io'

/** What a folding, accent-blind or padding collation takes for `mike@x.io`. */
const lookalikes = ['m\u0131ke@x.io', 'mik\u00e9@x.io', 'Mike@x.io', 'mike@x.io ']

const known = ({ row, ...record }: UserRecord): Omit<UserRecord, 'row'> => record

async function inserted (storage: OtpAuthStorage, address: string): Promise<UserRecord> {
  const outcome = await storage.insertUser({ email: address, fields: {} })
  assert.ok('user' in outcome)
  return outcome.user
}

export function userCases (register: RegisterCase): void {
  register('a user is made unverified and found again, through another connection too', async ({ storage, other }) => {
    assert.equal(await storage.findUser(email), null)
    const user = await inserted(storage, email)
    assert.deepEqual(known(user), { id: user.id, email, isVerified: false })
    assert.equal(typeof user.id, 'string')
    assert.equal(storage.userId(user.row), user.id)
    const found = (await other.findUser(email))!
    assert.deepEqual(known(found), known(user))
    assert.equal(other.userId(found.row), user.id)
  })

  register('a user row of the host is found as it is', async ({ storage, insertUserRow }) => {
    const id = await insertUserRow({ email, isVerified: false })
    assert.deepEqual(known((await storage.findUser(email))!), { id, email, isVerified: false })
  })

  register('a taken address is refused with an error, and the user who has it stays as they are', async ({ storage, insertUserRow }) => {
    const id = await insertUserRow({ email, isVerified: false })
    const outcome = await storage.insertUser({ email, fields: {} })
    assert.ok('refused' in outcome)
    assert.ok(outcome.refused instanceof Error)
    assert.deepEqual(known((await storage.findUser(email))!), { id, email, isVerified: false })
  })

  register('an unverified user is turned verified once', async ({ storage, other, insertUserRow }) => {
    const id = await insertUserRow({ email, isVerified: false })
    const verified = (await storage.verifyUser(email))!
    assert.deepEqual(known(verified), { id, email, isVerified: true })
    assert.equal(storage.userId(verified.row), id)
    assert.equal(await other.verifyUser(email), null)
    assert.deepEqual(known((await other.findUser(email))!), { id, email, isVerified: true })
  })

  register('there is nobody to verify where nobody is, or where they are verified', async ({ storage, insertUserRow }) => {
    assert.equal(await storage.verifyUser(email), null)
    assert.equal(await storage.findUser(email), null)
    await insertUserRow({ email, isVerified: true })
    assert.equal(await storage.verifyUser(email), null)
  })

  register('an address that looks like another finds and verifies nobody', async ({ storage, insertUserRow }) => {
    const id = await insertUserRow({ email, isVerified: false })
    for (const lookalike of lookalikes) {
      assert.equal(await storage.findUser(lookalike), null, lookalike)
      assert.equal(await storage.verifyUser(lookalike), null, lookalike)
    }
    assert.deepEqual(known((await storage.findUser(email))!), { id, email, isVerified: false })
  })

  register('an address that looks like another is a user of its own', async ({ storage, insertUserRow }) => {
    const ids = new Set([await insertUserRow({ email, isVerified: false })])
    // A padding unique index may refuse the last one: no normalised address ends in a space.
    for (const lookalike of lookalikes.slice(0, -1)) {
      const user = await inserted(storage, lookalike)
      assert.equal(user.email, lookalike)
      ids.add(user.id)
    }
    assert.equal(ids.size, lookalikes.length)
    assert.equal((await storage.findUser(email))!.isVerified, false)
  })

  register('of parallel verifications one turns the user verified', async ({ race, insertUserRow }) => {
    for (const round of oneTo(rounds)) {
      const address = `user-${round}@x.io`
      const id = await insertUserRow({ email: address, isVerified: false })
      const winners = (await race((adapter) => adapter.verifyUser(address))).filter((user) => user !== null)
      assert.deepEqual(winners.map(known), [{ id, email: address, isVerified: true }])
    }
  })

  register('of parallel first sign-ups one makes the user and the others are refused with an error', async ({ storage, race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const address = `user-${round}@x.io`
      const outcomes = await race((adapter) => adapter.insertUser({ email: address, fields: {} }))
      const made = outcomes.flatMap((outcome) => 'user' in outcome ? [known(outcome.user)] : [])
      const refused = outcomes.flatMap((outcome) => 'refused' in outcome ? [outcome.refused] : [])
      assert.deepEqual(made, [known((await storage.findUser(address))!)])
      assert.equal(refused.length, parallel - 1)
      assert.ok(refused.every((error) => error instanceof Error))
    }
  })

  register('parallel sign-ups of different people make each of them', async ({ race, parallel }) => {
    const users = await race((adapter, position) => inserted(adapter, `user-${position}@x.io`))
    assert.equal(new Set(users.map(({ id }) => id)).size, parallel)
  })

  register('upper-case ASCII letters in addresses are noticed, and no other letters', async ({ storage, insertUserRow }) => {
    assert.equal(await storage.hasMixedCaseEmails(10), false)
    await insertUserRow({ email, isVerified: true })
    await insertUserRow({ email: '\u00c9lodie@x.io', isVerified: true })
    assert.equal(await storage.hasMixedCaseEmails(2), false)
    await insertUserRow({ email: 'Anna@x.io', isVerified: true })
    assert.equal(await storage.hasMixedCaseEmails(3), true)
  })
}
