import assert from 'node:assert/strict'
import type { BoundAttempt, AttemptResult, UnboundAttempt } from '../storage/contract.ts'
import { aChallenge, aRenewal } from './challenges.ts'
import { ascending, now, oneTo, rounds, type RegisterCase } from './harness.ts'

const minute = 60_000
const maxAttempts = 5

const bound = (mac: string, given: Partial<BoundAttempt> = {}): BoundAttempt =>
  ({ id: 'challenge', emailHash: 'emailHash', macs: [mac], codeLength: 6, maxAttempts, now, ...given })

const unbound = (mac: string, given: Partial<UnboundAttempt> = {}): UnboundAttempt =>
  ({ emailHash: 'emailHash', macs: [mac], maxAttempts, now, ...given })

const compared = (outcomes: readonly (AttemptResult | null)[]) => outcomes.filter((outcome) => outcome !== null)
const accepted = (outcomes: readonly (AttemptResult | null)[]) => compared(outcomes).filter((outcome) => outcome.accepted)

export function attemptCases (register: RegisterCase): void {
  tryCases(register)
  tryRaces(register)
  consumeCases(register)
}

function tryCases (register: RegisterCase): void {
  register('a wrong guess takes a try and names the device', async ({ storage }) => {
    await storage.insertChallenge(aChallenge({ deviceKey: 'device' }))
    assert.deepEqual(await storage.tryCode(bound('wrong')), { accepted: false, attempts: 1, deviceKey: 'device' })
    assert.deepEqual(await storage.tryCode(bound('MAC-1')), { accepted: false, attempts: 2, deviceKey: 'device' })
    const { attempts, consumedAt } = (await storage.findChallenge('challenge'))!
    assert.deepEqual({ attempts, consumedAt }, { attempts: 2, consumedAt: null })
  })

  register('a right guess takes a try and consumes the challenge', async ({ storage, other }) => {
    await storage.insertChallenge(aChallenge())
    await storage.tryCode(bound('wrong'))
    assert.deepEqual(await storage.tryCode(bound('mac-1')), { accepted: true, attempts: 2, deviceKey: null })
    const { attempts, consumedAt } = (await other.findChallenge('challenge'))!
    assert.deepEqual({ attempts, consumedAt }, { attempts: 2, consumedAt: now })
  })

  register('a consumed challenge takes no guess, right or wrong', async ({ storage, other }) => {
    await storage.insertChallenge(aChallenge())
    await storage.tryCode(bound('mac-1'))
    assert.equal(await other.tryCode(bound('mac-1')), null)
    assert.equal(await other.tryCode(bound('wrong')), null)
    assert.equal((await storage.findChallenge('challenge'))!.attempts, 1)
  })

  register('the code before the newest opens until its own expiry', async ({ storage }) => {
    for (const [id, at, opens] of [['early', now + 10 * minute - 1, true], ['late', now + 10 * minute, false]] as const) {
      await storage.insertChallenge(aChallenge({ id }))
      await storage.renewChallenge(aRenewal({ id, codeLength: 6 }))
      assert.deepEqual(await storage.tryCode(bound('mac-1', { id, now: at })), { accepted: opens, attempts: 1, deviceKey: null })
    }
  })

  register('the newest code opens while the one before is kept', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.renewChallenge(aRenewal())
    assert.deepEqual(await storage.tryCode(bound('mac-2', { codeLength: 13 })), { accepted: true, attempts: 1, deviceKey: null })
  })

  register('a code older than the two newest is a wrong one', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.renewChallenge(aRenewal({ codeLength: 6 }))
    await storage.renewChallenge(aRenewal({ codeMac: 'mac-3', codeLength: 6 }))
    assert.deepEqual(await storage.tryCode(bound('mac-1')), { accepted: false, attempts: 1, deviceKey: null })
  })

  register('a withdrawn code is a wrong one, and the one before opens again', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.renewChallenge(aRenewal({ codeLength: 6 }))
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-2', now: now + 5 * minute })
    assert.equal((await storage.tryCode(bound('mac-2')))!.accepted, false)
    assert.equal((await storage.tryCode(bound('mac-1')))!.accepted, true)
  })

  register('a guess for another subject or an unknown challenge is refused and takes no try', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    assert.equal(await storage.tryCode(bound('mac-1', { emailHash: 'thief' })), null)
    assert.equal(await storage.tryCode(bound('mac-1', { emailHash: 'SUBJECT' })), null)
    assert.equal(await storage.tryCode(bound('mac-1', { id: 'unknown' })), null)
    assert.equal((await storage.findChallenge('challenge'))!.attempts, 0)
  })

  register('a challenge is over at the millisecond of its expiry', async ({ storage }) => {
    const { expiresAt } = aChallenge()
    await storage.insertChallenge(aChallenge())
    assert.equal(await storage.tryCode(bound('mac-1', { now: expiresAt })), null)
    assert.equal((await storage.findChallenge('challenge'))!.attempts, 0)
    assert.equal((await storage.tryCode(bound('mac-1', { now: expiresAt - 1 })))!.accepted, true)
  })

  register('a guess of a length that no live code has takes no try', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    assert.equal(await storage.tryCode(bound('wrong', { codeLength: 7 })), null)
    await storage.renewChallenge(aRenewal())
    assert.equal(await storage.tryCode(bound('wrong', { codeLength: 7 })), null)
    assert.equal(await storage.tryCode(bound('wrong', { codeLength: 6, now: now + 10 * minute })), null, 'the short code is over')
    assert.equal((await storage.findChallenge('challenge'))!.attempts, 0)
    assert.equal((await storage.tryCode(bound('wrong', { codeLength: 6, now: now + 10 * minute - 1 })))!.attempts, 1)
    assert.equal((await storage.tryCode(bound('wrong', { codeLength: 13 })))!.attempts, 2)
  })

  register('a code opens by any of the MACs it is asked for under', async ({ storage }) => {
    for (const macs of [['mac-1', 'new'], ['new', 'mac-1'], ['new', 'newer', 'mac-1']]) {
      const id = macs.join()
      await storage.insertChallenge(aChallenge({ id }))
      assert.equal((await storage.tryCode(bound('', { id, macs: ['new', 'newer'] })))!.accepted, false)
      assert.deepEqual(await storage.tryCode(bound('', { id, macs })), { accepted: true, attempts: 2, deviceKey: null })
    }
  })

  register('a challenge whose tries are spent refuses the right code, the one before it too', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.renewChallenge(aRenewal({ codeLength: 6 }))
    for (const attempts of oneTo(maxAttempts)) assert.equal((await storage.tryCode(bound('wrong')))!.attempts, attempts)
    assert.equal(await storage.tryCode(bound('mac-2')), null)
    assert.equal(await storage.tryCode(bound('mac-1')), null)
    const { attempts, consumedAt } = (await storage.findChallenge('challenge'))!
    assert.deepEqual({ attempts, consumedAt }, { attempts: maxAttempts, consumedAt: null })
  })

  register('tries are counted as numbers past nine', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    for (const attempts of oneTo(12)) {
      assert.deepEqual(await storage.tryCode(bound('wrong', { maxAttempts: 12 })), { accepted: false, attempts, deviceKey: null })
    }
    assert.equal(await storage.tryCode(bound('mac-1', { maxAttempts: 12 })), null)
  })
}

function tryRaces (register: RegisterCase): void {
  register('of parallel wrong guesses exactly the allowed number is compared', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const id = `challenge-${round}`
      await storage.insertChallenge(aChallenge({ id }))
      const outcomes = compared(await race((adapter) => adapter.tryCode(bound('wrong', { id }))))
      assert.deepEqual(ascending(outcomes.map(({ attempts }) => attempts)), oneTo(maxAttempts))
      assert.equal(accepted(outcomes).length, 0)
      assert.equal(await storage.tryCode(bound('mac-1', { id })), null, 'the right code comes too late')
    }
  })

  register('a right guess among parallel wrong ones buys no further comparison', async ({ storage, race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const id = `challenge-${round}`
      const right = Math.floor(parallel * (round - 1) / rounds)
      await storage.insertChallenge(aChallenge({ id }))
      const outcomes = await race((adapter, position) => adapter.tryCode(bound(position === right ? 'mac-1' : 'wrong', { id })))
      const { attempts, consumedAt } = (await storage.findChallenge(id))!
      assert.deepEqual(ascending(compared(outcomes).map((outcome) => outcome.attempts)), oneTo(attempts))
      assert.ok(attempts <= maxAttempts)
      assert.equal(accepted(outcomes).length, consumedAt === null ? 0 : 1)
      assert.equal(accepted(outcomes)[0]?.attempts ?? maxAttempts, attempts, 'nothing is compared after the winner')
    }
  })

  register('of parallel right guesses one is accepted and none besides it compared', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const id = `challenge-${round}`
      await storage.insertChallenge(aChallenge({ id }))
      const outcomes = await race((adapter) => adapter.tryCode(bound('mac-1', { id })))
      assert.deepEqual(compared(outcomes), [{ accepted: true, attempts: 1, deviceKey: null }])
    }
  })

  register('of parallel guesses at both codes of a challenge one is accepted', async ({ storage, race }) => {
    await storage.insertChallenge(aChallenge())
    await storage.renewChallenge(aRenewal({ codeLength: 6 }))
    const outcomes = await race((adapter, position) => adapter.tryCode(bound(`mac-${1 + position % 2}`)))
    assert.deepEqual(compared(outcomes), [{ accepted: true, attempts: 1, deviceKey: null }])
  })

  register('a renewal among parallel wrong guesses grants its tries once', async ({ storage, race, parallel }) => {
    await storage.insertChallenge(aChallenge())
    const half = Math.floor(parallel / 2)
    const outcomes = await race<AttemptResult | boolean | null>((adapter, position) => position === half
      ? adapter.renewChallenge(aRenewal({ codeLength: 6, now }))
      : adapter.tryCode(bound('wrong')))
    assert.equal(outcomes[half], true)
    const tried = outcomes.filter((outcome) => outcome !== null && typeof outcome === 'object')
    assert.ok(tried.length >= maxAttempts && tried.length <= 2 * maxAttempts, `${tried.length} guesses were compared`)
  })
}

function consumeCases (register: RegisterCase): void {
  register('an unbound right guess consumes the challenge and takes no try', async ({ storage, other }) => {
    await storage.insertChallenge(aChallenge({ deviceKey: 'device' }))
    assert.deepEqual(await storage.consumeCode(unbound('mac-1')), { deviceKey: 'device' })
    const { attempts, consumedAt } = (await other.findChallenge('challenge'))!
    assert.deepEqual({ attempts, consumedAt }, { attempts: 0, consumedAt: now })
    assert.equal(await other.consumeCode(unbound('mac-1')), null)
    assert.equal(await other.tryCode(bound('mac-1')), null)
  })

  register('an unbound guess opens the fitting one of several challenges, under any MAC, and no other', async ({ storage }) => {
    for (const number of oneTo(3)) await storage.insertChallenge(aChallenge({ id: `challenge-${number}`, codeMac: `mac-${number}` }))
    assert.deepEqual(await storage.consumeCode(unbound('', { macs: ['new', 'mac-2'] })), { deviceKey: null })
    const consumed = await Promise.all(oneTo(3).map(async (number) => (await storage.findChallenge(`challenge-${number}`))!.consumedAt))
    assert.deepEqual(consumed, [null, now, null])
  })

  register('an unbound guess that does not fit changes nothing', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    const before = await storage.findChallenge('challenge')
    assert.equal(await storage.consumeCode(unbound('wrong')), null)
    assert.equal(await storage.consumeCode(unbound('MAC-1')), null)
    assert.equal(await storage.consumeCode(unbound('mac-1', { emailHash: 'thief' })), null)
    assert.equal(await storage.consumeCode(unbound('mac-1', { emailHash: 'SUBJECT' })), null)
    assert.equal(await storage.consumeCode(unbound('mac-1', { now: aChallenge().expiresAt })), null)
    assert.deepEqual(await storage.findChallenge('challenge'), before)
    assert.deepEqual(await storage.consumeCode(unbound('mac-1', { now: aChallenge().expiresAt - 1 })), { deviceKey: null })
  })

  register('an unbound guess opens by the code before the newest until its own expiry', async ({ storage }) => {
    for (const [emailHash, at, opens] of [['early', now + 10 * minute - 1, true], ['late', now + 10 * minute, false]] as const) {
      await storage.insertChallenge(aChallenge({ id: emailHash, emailHash }))
      await storage.renewChallenge(aRenewal({ id: emailHash, emailHash }))
      assert.equal(await storage.consumeCode(unbound('mac-1', { emailHash, now: at })) !== null, opens)
    }
  })

  register('an unbound guess is refused where the tries are spent', async ({ storage }) => {
    await storage.insertChallenge(aChallenge())
    await storage.tryCode(bound('wrong'))
    assert.equal(await storage.consumeCode(unbound('mac-1', { maxAttempts: 1 })), null)
    assert.deepEqual(await storage.consumeCode(unbound('mac-1', { maxAttempts: 2 })), { deviceKey: null })
  })

  register('of parallel guesses with one code, bound and unbound, one consumes it', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const challenge = { id: `challenge-${round}`, emailHash: `emailHash-${round}` }
      await storage.insertChallenge(aChallenge(challenge))
      // Rounds of unbound guesses alone, and of both kinds with either of them first.
      const outcomes = await race<object | null>((adapter, position) => round % 3 === 0 || (position + round) % 2 === 0
        ? adapter.consumeCode(unbound('mac-1', { emailHash: challenge.emailHash }))
        : adapter.tryCode(bound('mac-1', challenge)))
      assert.equal(outcomes.filter((outcome) => outcome !== null).length, 1)
    }
  })
}
