import assert from 'node:assert/strict'
import type { Challenge, NewChallenge } from '../storage/contract.ts'
import { bound, makeChallenge, makeRenewal, minute, now, unbound } from './fixtures.ts'
import type { RegisterCase } from './harness.ts'

const asStored = (challenge: NewChallenge): Challenge => ({
  ...challenge,
  attempts: 0,
  consumedAt: null,
  previousMac: null,
  previousLength: null,
  previousExpiresAt: null
})

export function challengeCases (register: RegisterCase): void {
  register('a challenge is read as it was stored, also through another connection', async ({ storage, other }) => {
    const long = (letter: string) => letter.repeat(64)
    const challenge = makeChallenge({ id: long('i'), emailHash: long('s'), codeMac: long('m'), deviceKey: long('d') })
    await storage.insertChallenge(challenge)
    assert.deepEqual(await other.findChallenge(challenge.id), asStored(challenge))
    assert.equal(await other.findChallenge('another'), null)
  })

  register('a challenge without a device has no device key', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    assert.deepEqual(await storage.findChallenge('challenge'), asStored(makeChallenge()))
  })

  register('a challenge with an existing ID is refused, and the existing challenge is unchanged', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await assert.rejects(storage.insertChallenge(makeChallenge({ emailHash: 'another' })))
    assert.deepEqual(await storage.findChallenge('challenge'), asStored(makeChallenge()))
  })

  register('IDs and email hashes are case-sensitive', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    assert.equal(await storage.findChallenge('CHALLENGE'), null)
    await storage.insertChallenge(makeChallenge({ id: 'CHALLENGE', codeMac: 'mac-2' }))
    assert.equal((await storage.findChallenge('challenge'))!.codeMac, 'mac-1')
    assert.equal(await storage.renewChallenge(makeRenewal({ emailHash: 'EMAIL-HASH' })), false)
    assert.equal(await storage.hasLiveChallenge({ emailHash: 'EMAIL-HASH', codeLength: 6, maxAttempts: 5, now }), false)
  })

  register('a renewal replaces the code and the device, keeps the previous code and resets the attempts', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge({ deviceKey: 'device-1' }))
    await storage.tryCode(bound('wrong'))
    assert.equal(await storage.renewChallenge(makeRenewal({ deviceKey: 'device-2' })), true)
    assert.deepEqual(await storage.findChallenge('challenge'), {
      ...asStored(makeChallenge({ codeMac: 'mac-2', codeLength: 13, expiresAt: now + 15 * minute, deviceKey: 'device-2' })),
      previousMac: 'mac-1',
      previousLength: 6,
      previousExpiresAt: now + 10 * minute
    })
  })

  register('a renewal without a device removes the device key', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge({ deviceKey: 'device-1' }))
    await storage.renewChallenge(makeRenewal())
    assert.equal((await storage.findChallenge('challenge'))!.deviceKey, null)
  })

  register('a second renewal keeps the code of the first renewal, not the original code', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.renewChallenge(makeRenewal())
    await storage.renewChallenge(makeRenewal({ codeMac: 'mac-3', now: now + 6 * minute, expiresAt: now + 16 * minute }))
    const { codeMac, previousMac } = (await storage.findChallenge('challenge'))!
    assert.deepEqual({ codeMac, previousMac }, { codeMac: 'mac-3', previousMac: 'mac-2' })
  })

  register('a challenge without attempts left can be renewed', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    const wrong = bound('wrong', { maxAttempts: 1 })
    await storage.tryCode(wrong)
    assert.equal(await storage.tryCode(wrong), null)
    assert.equal(await storage.renewChallenge(makeRenewal()), true)
    assert.deepEqual(await storage.tryCode(wrong), { accepted: false, attempts: 1, deviceKey: null })
  })

  register('a renewal changes nothing if the email hash differs or the challenge is unknown, used or expired', async ({ storage }) => {
    const used = makeChallenge({ id: 'used', emailHash: 'used-hash' })
    await storage.insertChallenge(makeChallenge())
    await storage.insertChallenge(used)
    await storage.consumeCode(unbound('mac-1', { emailHash: 'used-hash' }))

    assert.equal(await storage.renewChallenge(makeRenewal({ emailHash: 'another' })), false)
    assert.equal(await storage.renewChallenge(makeRenewal({ id: 'unknown' })), false)
    assert.equal(await storage.findChallenge('unknown'), null)
    assert.equal(await storage.renewChallenge(makeRenewal({ id: 'used', emailHash: 'used-hash' })), false)
    assert.deepEqual(await storage.findChallenge('used'), { ...asStored(used), consumedAt: now })
    assert.equal(await storage.renewChallenge(makeRenewal({ now: now + 10 * minute, expiresAt: now + 20 * minute })), false)
    assert.deepEqual(await storage.findChallenge('challenge'), asStored(makeChallenge()))
    assert.equal(await storage.renewChallenge(makeRenewal({ now: now + 10 * minute - 1, expiresAt: now + 20 * minute })), true)
  })

  register('withdrawing the newest code restores the previous one', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.renewChallenge(makeRenewal())
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-2', now: now + 5 * minute })
    assert.deepEqual(await storage.findChallenge('challenge'), asStored(makeChallenge()))
  })

  register('withdrawing the only code ends the challenge', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-1', now })
    assert.equal(await storage.tryCode(bound('mac-1')), null)
    assert.equal(await storage.consumeCode(unbound('mac-1')), null)
    assert.equal(await storage.hasLiveChallenge({ emailHash: 'email-hash', codeLength: 6, maxAttempts: 5, now }), false)
    assert.equal(await storage.renewChallenge(makeRenewal({ now })), false)
  })

  register('withdrawing the previous code keeps the newest one', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.renewChallenge(makeRenewal())
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-1', now: now + 5 * minute })
    const { now: _, ...renewed } = makeRenewal()
    assert.deepEqual(await storage.findChallenge('challenge'), asStored(renewed))
  })

  register('withdrawing a code that the challenge does not have changes nothing', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-2', now })
    await storage.withdrawCode({ id: 'challenge', mac: 'MAC-1', now })
    await storage.withdrawCode({ id: 'another', mac: 'mac-1', now })
    assert.deepEqual(await storage.findChallenge('challenge'), asStored(makeChallenge()))
  })

  register('an email hash has a live challenge until it expires, is used or has no attempts left, and only for its code lengths', async ({ storage }) => {
    const live = (codeLength: number, at = now, emailHash = 'email-hash') =>
      storage.hasLiveChallenge({ emailHash, codeLength, maxAttempts: 5, now: at })
    assert.equal(await live(6), false)
    await storage.insertChallenge(makeChallenge())
    assert.equal(await live(6), true)
    assert.equal(await live(6, now, 'another'), false)
    assert.equal(await live(13), false)
    assert.equal(await live(6, now + 10 * minute - 1), true)
    assert.equal(await live(6, now + 10 * minute), false)

    await storage.renewChallenge(makeRenewal())
    assert.equal(await live(13, now + 15 * minute - 1), true)
    assert.equal(await live(13, now + 15 * minute), false)
    assert.equal(await live(6, now + 10 * minute - 1), true, 'the previous code lives until its own expiry')
    assert.equal(await live(6, now + 10 * minute), false)

    assert.equal(await storage.hasLiveChallenge({ emailHash: 'email-hash', codeLength: 13, maxAttempts: 0, now }), false, 'no attempts left')
    await storage.consumeCode(unbound('mac-2'))
    assert.equal(await live(13), false)
    assert.equal(await live(6), false)
  })
}
