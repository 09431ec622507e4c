import assert from 'node:assert/strict'
import type { AttemptResult } from '../storage/contract.ts'
import { bound, makeChallenge, makeRenewal, maxAttempts, minute, now, unbound } from './fixtures.ts'
import { ascending, oneTo, rounds, type RegisterCase } from './harness.ts'

const compared = (results: readonly (AttemptResult | null)[]) => results.filter((result) => result !== null)
const accepted = (results: readonly (AttemptResult | null)[]) => compared(results).filter((result) => result.accepted)

export function attemptCases (register: RegisterCase): void {
  boundCases(register)
  boundRaces(register)
  unboundCases(register)
}

function boundCases (register: RegisterCase): void {
  register('an attempt with a wrong code is counted and returns the device key', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge({ deviceKey: 'device' }))
    assert.deepEqual(await storage.tryCode(bound('wrong')), { accepted: false, attempts: 1, deviceKey: 'device' })
    assert.deepEqual(await storage.tryCode(bound('MAC-1')), { accepted: false, attempts: 2, deviceKey: 'device' })
    const { attempts, consumedAt } = (await storage.findChallenge('challenge'))!
    assert.deepEqual({ attempts, consumedAt }, { attempts: 2, consumedAt: null })
  })

  register('an attempt with the correct code is counted and uses up the challenge', async ({ storage, other }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.tryCode(bound('wrong'))
    assert.deepEqual(await storage.tryCode(bound('mac-1')), { accepted: true, attempts: 2, deviceKey: null })
    const { attempts, consumedAt } = (await other.findChallenge('challenge'))!
    assert.deepEqual({ attempts, consumedAt }, { attempts: 2, consumedAt: now })
  })

  register('a used challenge refuses every code', async ({ storage, other }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.tryCode(bound('mac-1'))
    assert.equal(await other.tryCode(bound('mac-1')), null)
    assert.equal(await other.tryCode(bound('wrong')), null)
    assert.equal((await storage.findChallenge('challenge'))!.attempts, 1)
  })

  register('the previous code is accepted until its own expiry', async ({ storage }) => {
    for (const [id, at, isAccepted] of [['early', now + 10 * minute - 1, true], ['late', now + 10 * minute, false]] as const) {
      await storage.insertChallenge(makeChallenge({ id }))
      await storage.renewChallenge(makeRenewal({ id, codeLength: 6 }))
      assert.deepEqual(await storage.tryCode(bound('mac-1', { id, now: at })), { accepted: isAccepted, attempts: 1, deviceKey: null })
    }
  })

  register('the newest code is accepted while the previous one is kept', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.renewChallenge(makeRenewal())
    assert.deepEqual(await storage.tryCode(bound('mac-2', { codeLength: 13 })), { accepted: true, attempts: 1, deviceKey: null })
  })

  register('a code older than the two newest is wrong', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.renewChallenge(makeRenewal({ codeLength: 6 }))
    await storage.renewChallenge(makeRenewal({ codeMac: 'mac-3', codeLength: 6 }))
    assert.deepEqual(await storage.tryCode(bound('mac-1')), { accepted: false, attempts: 1, deviceKey: null })
  })

  register('a withdrawn code is wrong, and the previous one is accepted again', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.renewChallenge(makeRenewal({ codeLength: 6 }))
    await storage.withdrawCode({ id: 'challenge', mac: 'mac-2', now: now + 5 * minute })
    assert.equal((await storage.tryCode(bound('mac-2')))!.accepted, false)
    assert.equal((await storage.tryCode(bound('mac-1')))!.accepted, true)
  })

  register('an attempt for another email hash or an unknown challenge is refused and not counted', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    assert.equal(await storage.tryCode(bound('mac-1', { emailHash: 'another' })), null)
    assert.equal(await storage.tryCode(bound('mac-1', { emailHash: 'EMAIL-HASH' })), null)
    assert.equal(await storage.tryCode(bound('mac-1', { id: 'unknown' })), null)
    assert.equal((await storage.findChallenge('challenge'))!.attempts, 0)
  })

  register('a challenge ends at the exact millisecond of its expiry', async ({ storage }) => {
    const { expiresAt } = makeChallenge()
    await storage.insertChallenge(makeChallenge())
    assert.equal(await storage.tryCode(bound('mac-1', { now: expiresAt })), null)
    assert.equal((await storage.findChallenge('challenge'))!.attempts, 0)
    assert.equal((await storage.tryCode(bound('mac-1', { now: expiresAt - 1 })))!.accepted, true)
  })

  register('an attempt is not counted if no live code has its length', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    assert.equal(await storage.tryCode(bound('wrong', { codeLength: 7 })), null)
    await storage.renewChallenge(makeRenewal())
    assert.equal(await storage.tryCode(bound('wrong', { codeLength: 7 })), null)
    assert.equal(await storage.tryCode(bound('wrong', { codeLength: 6, now: now + 10 * minute })), null, 'the short code has expired')
    assert.equal((await storage.findChallenge('challenge'))!.attempts, 0)
    assert.equal((await storage.tryCode(bound('wrong', { codeLength: 6, now: now + 10 * minute - 1 })))!.attempts, 1)
    assert.equal((await storage.tryCode(bound('wrong', { codeLength: 13 })))!.attempts, 2)
  })

  register('a code is accepted if any MAC of the attempt matches', async ({ storage }) => {
    for (const macs of [['mac-1', 'new'], ['new', 'mac-1'], ['new', 'newer', 'mac-1']]) {
      const id = macs.join()
      await storage.insertChallenge(makeChallenge({ id }))
      assert.equal((await storage.tryCode(bound('', { id, macs: ['new', 'newer'] })))!.accepted, false)
      assert.deepEqual(await storage.tryCode(bound('', { id, macs })), { accepted: true, attempts: 2, deviceKey: null })
    }
  })

  register('a challenge without attempts left refuses the correct code, and the previous one too', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.renewChallenge(makeRenewal({ codeLength: 6 }))
    for (const attempts of oneTo(maxAttempts)) assert.equal((await storage.tryCode(bound('wrong')))!.attempts, attempts)
    assert.equal(await storage.tryCode(bound('mac-2')), null)
    assert.equal(await storage.tryCode(bound('mac-1')), null)
    const { attempts, consumedAt } = (await storage.findChallenge('challenge'))!
    assert.deepEqual({ attempts, consumedAt }, { attempts: maxAttempts, consumedAt: null })
  })

  register('attempts are counted as numbers, not as text', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    for (const attempts of oneTo(12)) {
      assert.deepEqual(await storage.tryCode(bound('wrong', { maxAttempts: 12 })), { accepted: false, attempts, deviceKey: null })
    }
    assert.equal(await storage.tryCode(bound('mac-1', { maxAttempts: 12 })), null)
  })
}

function boundRaces (register: RegisterCase): void {
  register('only the allowed number of parallel wrong attempts is compared', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const id = `challenge-${round}`
      await storage.insertChallenge(makeChallenge({ id }))
      const results = compared(await race((adapter) => adapter.tryCode(bound('wrong', { id }))))
      assert.deepEqual(ascending(results.map(({ attempts }) => attempts)), oneTo(maxAttempts))
      assert.equal(accepted(results).length, 0)
      assert.equal(await storage.tryCode(bound('mac-1', { id })), null, 'the correct code comes too late')
    }
  })

  register('a correct attempt among parallel wrong ones allows no extra comparison', async ({ storage, race, parallel }) => {
    for (const round of oneTo(rounds)) {
      const id = `challenge-${round}`
      const right = Math.floor(parallel * (round - 1) / rounds)
      await storage.insertChallenge(makeChallenge({ id }))
      const results = await race((adapter, position) => adapter.tryCode(bound(position === right ? 'mac-1' : 'wrong', { id })))
      const { attempts, consumedAt } = (await storage.findChallenge(id))!
      assert.deepEqual(ascending(compared(results).map((result) => result.attempts)), oneTo(attempts))
      assert.ok(attempts <= maxAttempts)
      assert.equal(accepted(results).length, consumedAt === null ? 0 : 1)
      assert.equal(accepted(results)[0]?.attempts ?? maxAttempts, attempts, 'nothing is compared after the accepted attempt')
    }
  })

  register('only one of many parallel correct attempts is accepted, and no other is compared', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const id = `challenge-${round}`
      await storage.insertChallenge(makeChallenge({ id }))
      const results = await race((adapter) => adapter.tryCode(bound('mac-1', { id })))
      assert.deepEqual(compared(results), [{ accepted: true, attempts: 1, deviceKey: null }])
    }
  })

  register('only one of many parallel attempts with the two codes of a challenge is accepted', async ({ storage, race }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.renewChallenge(makeRenewal({ codeLength: 6 }))
    const results = await race((adapter, position) => adapter.tryCode(bound(`mac-${1 + position % 2}`)))
    assert.deepEqual(compared(results), [{ accepted: true, attempts: 1, deviceKey: null }])
  })

  register('a renewal among parallel wrong attempts resets the attempts once', async ({ storage, race, parallel }) => {
    await storage.insertChallenge(makeChallenge())
    const half = Math.floor(parallel / 2)
    const results = await race<AttemptResult | boolean | null>((adapter, position) => position === half
      ? adapter.renewChallenge(makeRenewal({ codeLength: 6, now }))
      : adapter.tryCode(bound('wrong')))
    assert.equal(results[half], true)
    const attempts = results.filter((result) => result !== null && typeof result === 'object')
    assert.ok(attempts.length >= maxAttempts && attempts.length <= 2 * maxAttempts, `${attempts.length} attempts were compared`)
  })
}

function unboundCases (register: RegisterCase): void {
  register('a correct unbound attempt uses up the challenge and is not counted', async ({ storage, other }) => {
    await storage.insertChallenge(makeChallenge({ deviceKey: 'device' }))
    assert.deepEqual(await storage.consumeCode(unbound('mac-1')), { deviceKey: 'device' })
    const { attempts, consumedAt } = (await other.findChallenge('challenge'))!
    assert.deepEqual({ attempts, consumedAt }, { attempts: 0, consumedAt: now })
    assert.equal(await other.consumeCode(unbound('mac-1')), null)
    assert.equal(await other.tryCode(bound('mac-1')), null)
  })

  register('an unbound attempt uses up only the challenge whose code matches any of its MACs', async ({ storage }) => {
    for (const number of oneTo(3)) await storage.insertChallenge(makeChallenge({ id: `challenge-${number}`, codeMac: `mac-${number}` }))
    assert.deepEqual(await storage.consumeCode(unbound('', { macs: ['new', 'mac-2'] })), { deviceKey: null })
    const consumed = await Promise.all(oneTo(3).map(async (number) => (await storage.findChallenge(`challenge-${number}`))!.consumedAt))
    assert.deepEqual(consumed, [null, now, null])
  })

  register('an unbound attempt that does not match changes nothing', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    const before = await storage.findChallenge('challenge')
    assert.equal(await storage.consumeCode(unbound('wrong')), null)
    assert.equal(await storage.consumeCode(unbound('MAC-1')), null)
    assert.equal(await storage.consumeCode(unbound('mac-1', { emailHash: 'another' })), null)
    assert.equal(await storage.consumeCode(unbound('mac-1', { emailHash: 'EMAIL-HASH' })), null)
    assert.equal(await storage.consumeCode(unbound('mac-1', { now: makeChallenge().expiresAt })), null)
    assert.deepEqual(await storage.findChallenge('challenge'), before)
    assert.deepEqual(await storage.consumeCode(unbound('mac-1', { now: makeChallenge().expiresAt - 1 })), { deviceKey: null })
  })

  register('an unbound attempt with the previous code is accepted until the expiry of that code', async ({ storage }) => {
    for (const [emailHash, at, isAccepted] of [['early', now + 10 * minute - 1, true], ['late', now + 10 * minute, false]] as const) {
      await storage.insertChallenge(makeChallenge({ id: emailHash, emailHash }))
      await storage.renewChallenge(makeRenewal({ id: emailHash, emailHash }))
      assert.equal(await storage.consumeCode(unbound('mac-1', { emailHash, now: at })) !== null, isAccepted)
    }
  })

  register('an unbound attempt is refused if the challenge has no attempts left', async ({ storage }) => {
    await storage.insertChallenge(makeChallenge())
    await storage.tryCode(bound('wrong'))
    assert.equal(await storage.consumeCode(unbound('mac-1', { maxAttempts: 1 })), null)
    assert.deepEqual(await storage.consumeCode(unbound('mac-1', { maxAttempts: 2 })), { deviceKey: null })
  })

  register('only one of many parallel attempts with one code, bound or unbound, is accepted', async ({ storage, race }) => {
    for (const round of oneTo(rounds)) {
      const challenge = { id: `challenge-${round}`, emailHash: `email-hash-${round}` }
      await storage.insertChallenge(makeChallenge(challenge))
      // Every third round has only unbound attempts. The others have both kinds, and each kind is sometimes the first.
      const results = await race<object | null>((adapter, position) => round % 3 === 0 || (position + round) % 2 === 0
        ? adapter.consumeCode(unbound('mac-1', { emailHash: challenge.emailHash }))
        : adapter.tryCode(bound('mac-1', challenge)))
      assert.equal(results.filter((result) => result !== null).length, 1)
    }
  })
}
