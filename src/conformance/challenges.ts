import assert from 'node:assert/strict'
import type { Challenge, NewChallenge } from '../storage/contract.ts'
import { now, type RegisterCase } from './harness.ts'

const minute = 60_000

/** A challenge that is alive for ten minutes, but for what is given. */
export const aChallenge = (given: Partial<NewChallenge> = {}): NewChallenge => ({
  id: 'challenge',
  emailHash: 'emailHash',
  codeMac: 'mac-1',
  codeLength: 6,
  expiresAt: now + 10 * minute,
  deviceKey: null,
  ...given
})

/** Its renewal five minutes later, with a code of another length that lives as long. */
export const aRenewal = (given: Partial<NewChallenge & { now: number }> = {}): NewChallenge & { now: number } => ({
  ...aChallenge({ codeMac: 'mac-2', codeLength: 13, expiresAt: now + 15 * minute }),
  now: now + 5 * minute,
  ...given
})

const asInserted = (challenge: NewChallenge): Challenge => ({
  ...challenge,
  attempts: 0,
  consumedAt: null,
  previousMac: null,
  previousLength: null,
  previousExpiresAt: null
})

export function challengeCases (register: RegisterCase): void {
  register('a challenge reads back as it was stored, through another connection too', async ({ storage, other }) => {
    const long = (letter: string) => letter.repeat(64)
    const challenge = aChallenge({ id: long('i'), emailHash: long('s'), codeMac: long('m'), deviceKey: long('d') })
    await storage.insertChallenge(challenge)
    assert.deepEqual(await other.findChallenge(challenge.id), asInserted(challenge))
    assert.equal(await other.findChallenge('another'), null)
  })

  register('a challenge without a device has no device key', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    assert.deepEqual(await storage.findChallenge('challenge'), asInserted(aChallenge()))
  })

  register('an id that is taken is refused and its challenge stays', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await assert.rejects(storage.insertChallenge(aChallenge({ emailHash: 'thief' })))
    assert.deepEqual(await storage.findChallenge('challenge'), asInserted(aChallenge()))
  })

  register('ids and subjects are told apart by case', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    assert.equal(await storage.findChallenge('CHALLENGE'), null)
    await storage.insertChallenge(aChallenge({ id: 'CHALLENGE', codeMac: 'mac-2' }))
    assert.equal((await storage.findChallenge('challenge'))!.codeMac, 'mac-1')
    assert.equal(await storage.renewChallenge(aRenewal({ emailHash: 'SUBJECT' })), false)
    assert.equal(await storage.hasLiveChallenge({ emailHash: 'SUBJECT', codeLength: 6, maxAttempts: 5, now }), false)
  })

  register('a renewal replaces code and device, keeps the code before it and starts the tries anew', async ({ storage }) => {
    await storage.insertChallenge(aChallenge({ deviceKey: 'device-1' }))
    await storage.tryCode({ id: 'challenge', emailHash: 'emailHash', macs: ['wrong'], codeLength: 6, maxAttempts: 5, now })
    assert.equal(await storage.renewChallenge(aRenewal({ deviceKey: 'device-2' })), true)
    assert.deepEqual(await storage.findChallenge('challenge'), {
      ...asInserted(aChallenge({ codeMac: 'mac-2', codeLength: 13, expiresAt: now + 15 * minute, deviceKey: 'device-2' })),
      previousMac: 'mac-1',
      previousLength: 6,
      previousExpiresAt: now + 10 * minute
    })
  })

  register('a renewal without a device takes the device key away', async ({ storage }) => {
    await storage.insertChallenge(aChallenge({ deviceKey: 'device-1' }))
    await storage.renewChallenge(aRenewal())
    assert.equal((await storage.findChallenge('challenge'))!.deviceKey, null)
  })

  register('a second renewal keeps the code of the first, not the oldest', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.renewChallenge(aRenewal())
    await storage.renewChallenge(aRenewal({ codeMac: 'mac-3', now: now + 6 * minute, expiresAt: now + 16 * minute }))
    const { codeMac, previousMac } = (await storage.findChallenge('challenge'))!
    assert.deepEqual({ codeMac, previousMac }, { codeMac: 'mac-3', previousMac: 'mac-2' })
  })

  register('a challenge whose tries are spent can be renewed', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    const wrong = { id: 'challenge', emailHash: 'emailHash', macs: ['wrong'], codeLength: 6, maxAttempts: 1, now }
    await storage.tryCode(wrong)
    assert.equal(await storage.tryCode(wrong), null)
    assert.equal(await storage.renewChallenge(aRenewal()), true)
    assert.deepEqual(await storage.tryCode(wrong), { accepted: false, attempts: 1, deviceKey: null })
  })

  register('a renewal of another subject, an unknown, a consumed or an expired challenge changes nothing', async ({ storage }) => {
    const consumed = aChallenge({ id: 'consumed', emailHash: 'consumer' })
    await storage.insertChallenge(aChallenge())
    await storage.insertChallenge(consumed)
    await storage.consumeCode({ emailHash: 'consumer', macs: ['mac-1'], maxAttempts: 5, now })

    assert.equal(await storage.renewChallenge(aRenewal({ emailHash: 'thief' })), false)
    assert.equal(await storage.renewChallenge(aRenewal({ id: 'unknown' })), false)
    assert.equal(await storage.findChallenge('unknown'), null)
    assert.equal(await storage.renewChallenge(aRenewal({ id: 'consumed', emailHash: 'consumer' })), false)
    assert.deepEqual(await storage.findChallenge('consumed'), { ...asInserted(consumed), consumedAt: now })
    assert.equal(await storage.renewChallenge(aRenewal({ now: now + 10 * minute, expiresAt: now + 20 * minute })), false)
    assert.deepEqual(await storage.findChallenge('challenge'), asInserted(aChallenge()))
    assert.equal(await storage.renewChallenge(aRenewal({ now: now + 10 * minute - 1, expiresAt: now + 20 * minute })), true)
  })

  register('withdrawing the newest code puts the one before back in its place', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.renewChallenge(aRenewal())
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-2', now: now + 5 * minute })
    assert.deepEqual(await storage.findChallenge('challenge'), asInserted(aChallenge()))
  })

  register('withdrawing the only code ends the challenge', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-1', now })
    assert.equal(await storage.tryCode({ ...aChallenge(), macs: ['mac-1'], maxAttempts: 5, now }), null)
    assert.equal(await storage.consumeCode({ emailHash: 'emailHash', macs: ['mac-1'], maxAttempts: 5, now }), null)
    assert.equal(await storage.hasLiveChallenge({ emailHash: 'emailHash', codeLength: 6, maxAttempts: 5, now }), false)
    assert.equal(await storage.renewChallenge(aRenewal({ now })), false)
  })

  register('withdrawing the code before the newest leaves the newest', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.renewChallenge(aRenewal())
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-1', now: now + 5 * minute })
    const { now: _, ...renewed } = aRenewal()
    assert.deepEqual(await storage.findChallenge('challenge'), asInserted(renewed))
  })

  register('withdrawing a code that the challenge does not hold changes nothing', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-2', now })
    await storage.withdrawCode({ id: 'challenge', mac: 'MAC-1', now })
    await storage.withdrawCode({ id: 'another', mac: 'mac-1', now })
    assert.deepEqual(await storage.findChallenge('challenge'), asInserted(aChallenge()))
  })

  register('a subject has a live challenge until it expires, is consumed or has no tries left, for its code lengths alone', async ({ storage }) => {
    const live = (codeLength: number, at = now, emailHash = 'emailHash') =>
      storage.hasLiveChallenge({ emailHash, codeLength, maxAttempts: 5, now: at })
    assert.equal(await live(6), false)
    await storage.insertChallenge(aChallenge())
    assert.equal(await live(6), true)
    assert.equal(await live(6, now, 'another'), false)
    assert.equal(await live(13), false)
    assert.equal(await live(6, now + 10 * minute - 1), true)
    assert.equal(await live(6, now + 10 * minute), false)

    await storage.renewChallenge(aRenewal())
    assert.equal(await live(13, now + 15 * minute - 1), true)
    assert.equal(await live(13, now + 15 * minute), false)
    assert.equal(await live(6, now + 10 * minute - 1), true, 'the code before lives until its own expiry')
    assert.equal(await live(6, now + 10 * minute), false)

    assert.equal(await storage.hasLiveChallenge({ emailHash: 'emailHash', codeLength: 13, maxAttempts: 0, now }), false, 'no tries left')
    await storage.consumeCode({ emailHash: 'emailHash', macs: ['mac-2'], maxAttempts: 5, now })
    assert.equal(await live(13), false)
    assert.equal(await live(6), false)
  })
}
