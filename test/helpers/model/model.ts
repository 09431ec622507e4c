/**
 * A second implementation of the use cases, written from the README and the threat model: plain objects, one caller at a time, no
 * database, and nothing from `src`. The responses of the plugin are compared with those of this model.
 */
import { DAY, fail, failureWait, release, longest, count, waits, type Limits } from './counts.ts'
import { done, refused, wrong } from './answers.ts'
import {
  LONG, SHORT, expiry, fromNetwork, fromReserve, refunds, settings, toDevice, toMailbox, attemptLimit, unboundAttempts
} from './settings.ts'
import { Sessions } from './sessions.ts'
import type { Challenge, Device, Expected, Refresh } from './state.ts'

/** Emails are counted by mailbox, which is the email without the tag. */
const mailboxOf = (address: string) => address.replace(/\+[^@]*/, '')

export class Model extends Sessions {
  request ({ address, device, network, carried, provider, made }: {
    address: string
    device: Device | null
    network: string
    carried: string | null
    provider: 'works' | 'rejects' | 'hangs'
    /** The random values of the plugin, if it got that far. */
    made: { id: string, code: string | null }
  }): Expected {
    const { state, now } = this
    const own = this.#known(device, address)
    const deviceKey = own === null ? null : `${own} ${address}`
    const length = failureWait(state.failures[deviceKey ?? address], settings.failureLimits, now) > 0 ? LONG : SHORT
    const send = own === null ? this.#countToMailbox(address, network) : this.#countToDevice(address, own)
    if (typeof send === 'number') {
      return refused(429, 'TOO_MANY_REQUESTS', { retryAfter: Math.max(1, Math.ceil(send / 1000)) })
    }

    const isSent = !state.banned.includes(address)
    const newest = { text: isSent ? made.code : null, length, until: now + expiry }
    const kept = state.challenges.find(({ id }) => id === carried)
    if (kept !== undefined && kept.address === address && this.#lives(kept)) {
      Object.assign(kept, { newest, before: kept.newest, attempts: 0, device: deviceKey })
    } else {
      const isFresh = state.challenges.every(({ id }) => id !== made.id)
      const id = isFresh ? made.id : 'a fresh one'
      state.challenges.push({ id, address, newest, before: null, attempts: 0, isConsumed: false, device: deviceKey })
    }
    this.write(null)
    const challenge = kept?.newest === newest ? kept : state.challenges.at(-1)!
    const answer = {
      request_id: challenge.id, expires_in: settings.otpExpiry, resend_after: settings.otpRateLimitSeconds, code_length: length
    }
    if (!isSent) return done(answer, ['+otp_request'])

    const sent = { to: address, length, isNewUser: state.users[address]?.isVerified !== true, until: newest.until }
    this.hasSent = true
    this.write(null)
    if (provider === 'works') return { ...done(answer, ['+otp_request']), sent }
    if (provider === 'rejects') {
      Object.assign(challenge, { newest: challenge.before ?? { ...newest, text: null, until: now }, before: null })
      this.write(null)
      if (this.#count(`refunds ${mailboxOf(address)}`, refunds)) {
        // The counter of the network keeps its time, because the network is no longer new to the mailbox.
        for (const [position, key] of send.entries()) this.#release(key, { cooldown: position === 0, counts: true })
      }
    } else {
      this.#release(send[0]!, { cooldown: true, counts: false })
    }
    return refused(503, 'DELIVERY_FAILED', { sent })
  }

  /** @returns the keys that were counted, or how long to wait */
  #countToDevice (address: string, device: string): string[] | number {
    const key = `device ${device} ${mailboxOf(address)}`
    return this.#count(key, toDevice) ? [key] : longest(this.#waits(key, toDevice))
  }

  #countToMailbox (address: string, network: string): string[] | number {
    const mailbox = mailboxOf(address)
    const [all, own, reserve] = [`mailbox ${mailbox}`, `network ${network} ${mailbox}`, `reserve ${mailbox}`]
    const [ofAll, ofOwn] = [this.#waits(all, toMailbox), this.#waits(own, fromNetwork)]
    if (longest(ofAll) === 0 && longest(ofOwn) === 0) return [this.#counted(all, toMailbox), this.#counted(own, fromNetwork)]
    const isNew = this.#waits(own, { cooldown: DAY }).cooldown === 0
    if (ofAll.long > 0 && ofAll.cooldown === 0 && isNew && longest(this.#waits(reserve, fromReserve)) === 0) {
      return [this.#counted(reserve, fromReserve), this.#counted(own, fromNetwork)]
    }
    return longest(ofAll) > 0 ? longest(ofAll) : longest(ofOwn)
  }

  verify ({ address, code, carried, device, presented, made }: {
    address: string
    /** The normalized code: digits and capital letters. */
    code: string
    carried: string | null
    device: Device | null
    presented: Refresh | null
    made: { sid: string }
  }): Expected {
    const { state, now } = this
    const challenge = this.#open(address, code, carried)
    if ('status' in challenge) return challenge
    this.#resetConsecutive(address)
    if (challenge.device !== null) this.#resetConsecutive(challenge.device)
    if (state.banned.includes(address)) return wrong()

    if (state.users[address] === undefined) this.write(state.users[address] = { isVerified: false })
    if (!state.users[address]!.isVerified) {
      for (const session of Object.values(state.sessions)) {
        if (session.address === address && session.startedAt < now) session.isRevoked = true
      }
      this.write(null)
      this.write(state.users[address]!.isVerified = true)
    }
    const session = this.start(address, made.sid)
    if (presented !== null && presented.exp * 1000 > now) this.revoke(presented.sid)
    const isSame = this.#isLiveDevice(device)
    return done({ ...session, device: isSame ? device!.id : 'new' }, ['+refresh_token', '+otp_device', '-otp_request'])
  }

  /** @returns the challenge that the code belongs to, or the response if there is none */
  #open (address: string, code: string, carried: string | null): Challenge | Expected {
    const { state, now } = this
    const bound = state.challenges.find((one) => one.id === carried && one.address === address && one.newest.until > now)
    if (bound !== undefined && !bound.isConsumed) {
      if (bound.attempts >= attemptLimit) return refused(429, 'TOO_MANY_ATTEMPTS')
      if (!this.#codesOf(bound).some(({ length }) => length === code.length)) return wrong(attemptLimit - bound.attempts)
      bound.attempts++
      if (this.#fits(bound, code)) return this.#consume(bound)
      this.write(null)
      this.#fail(address)
      if (bound.device !== null) this.#fail(bound.device)
      return wrong(attemptLimit - bound.attempts)
    }
    // A double click does not count.
    if (bound !== undefined && [bound.newest, bound.before].some((one) => one?.text === code)) return wrong()

    const live = state.challenges.filter((one) => one.address === address && this.#lives(one) && one.attempts < attemptLimit)
    if (!live.some((one) => this.#codesOf(one).some(({ length }) => length === code.length))) return wrong()
    if (code.length < LONG && failureWait(state.failures[address], settings.failureLimits, now) > 0) return wrong()
    if (!this.#count(`unbound ${address}`, unboundAttempts)) return wrong()
    const opened = live.find((one) => this.#fits(one, code))
    if (opened !== undefined) return this.#consume(opened)
    this.#fail(address)
    return wrong()
  }

  #isLiveDevice = (device: Device | null) => device !== null && device.until > this.now
  #known = (device: Device | null, address: string) => this.#isLiveDevice(device) && device!.addresses.includes(address) ? device!.id : null
  #lives = ({ isConsumed, newest }: Challenge) => !isConsumed && newest.until > this.now
  #codesOf = ({ newest, before }: Challenge) => [newest, ...(before === null ? [] : [before])].filter(({ until }) => until > this.now)
  #fits = (challenge: Challenge, code: string) => this.#codesOf(challenge).some(({ text }) => text === code)
  #waits = (key: string, limits: Limits) => waits(this.state.counters, key, limits, this.now)
  #count = (key: string, limits: Limits) => this.write(count(this.state.counters, key, limits, this.now))
  #fail = (key: string) => this.write(fail(this.state.failures, key, this.now))
  #consume = (challenge: Challenge) => this.write(Object.assign(challenge, { isConsumed: true }))
  #counted (key: string, limits: Limits): string {
    this.#count(key, limits)
    return key
  }

  #release (key: string, what: { cooldown: boolean, counts: boolean }): void {
    this.write(release(this.state.counters, key, this.now, what))
  }

  #resetConsecutive (key: string): void {
    const failures = this.state.failures[key]
    if (failures !== undefined) this.write(failures.consecutive = 0)
  }
}
