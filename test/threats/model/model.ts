/**
 * The flows once more, as the README and the threat model tell them: plain objects, one caller at a time, no database, and nothing
 * from `src`. What the plugin answers is compared with what this answers.
 */
import { DAY, fail, failureWait, giveBack, longest, take, waits, type Limits } from './counts.ts'
import { done, refused, wrong } from './answers.ts'
import {
  LONG, SHORT, expiry, fromNetwork, fromReserve, refunds, settings, toDevice, toMailbox, tries, unboundAttempts
} from './settings.ts'
import { Sessions } from './sessions.ts'
import type { Challenge, Device, Foretold, Refresh } from './state.ts'

/** Mails are counted by mailbox: without the tag. */
const mailboxOf = (address: string) => address.replace(/\+[^@]*/, '')

export class Model extends Sessions {
  request ({ address, device, network, carried, mailer, made }: {
    address: string
    device: Device | null
    network: string
    carried: string | null
    mailer: 'works' | 'rejects' | 'hangs'
    /** What the plugin drew at random, if it got so far. */
    made: { id: string, code: string | null }
  }): Foretold {
    const { state, now } = this
    const own = this.#known(device, address)
    const deviceKey = own === null ? null : `${own} ${address}`
    const length = failureWait(state.failures[deviceKey ?? address], settings.failureLimits, now) > 0 ? LONG : SHORT
    const send = own === null ? this.#takeFromMailbox(address, network) : this.#takeFromDevice(address, own)
    if (typeof send === 'number') {
      return refused(429, 'TOO_MANY_REQUESTS', { retryAfter: Math.max(1, Math.ceil(send / 1000)) })
    }

    const isMailed = !state.banned.includes(address)
    const newest = { text: isMailed ? made.code : null, length, until: now + expiry }
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
    if (!isMailed) return done(answer, ['+otp_request'])

    const mail = { to: address, length, isNewUser: state.users[address]?.isVerified !== true, until: newest.until }
    this.hasMailed = true
    this.write(null)
    if (mailer === 'works') return { ...done(answer, ['+otp_request']), mail }
    if (mailer === 'rejects') {
      Object.assign(challenge, { newest: challenge.before ?? { ...newest, text: null, until: now }, before: null })
      this.write(null)
      if (this.#take(`refunds ${mailboxOf(address)}`, refunds)) {
        // A network keeps its time: it has asked, and is new to the mailbox no more.
        for (const [position, key] of send.entries()) this.#giveBack(key, { cooldown: position === 0, counts: true })
      }
    } else {
      this.#giveBack(send[0]!, { cooldown: true, counts: false })
    }
    return refused(503, 'DELIVERY_FAILED', { mail })
  }

  /** @returns the budgets that were taken from, or how long to wait */
  #takeFromDevice (address: string, device: string): string[] | number {
    const key = `device ${device} ${mailboxOf(address)}`
    return this.#take(key, toDevice) ? [key] : longest(this.#waits(key, toDevice))
  }

  #takeFromMailbox (address: string, network: string): string[] | number {
    const mailbox = mailboxOf(address)
    const [all, own, reserve] = [`mailbox ${mailbox}`, `network ${network} ${mailbox}`, `reserve ${mailbox}`]
    const [ofAll, ofOwn] = [this.#waits(all, toMailbox), this.#waits(own, fromNetwork)]
    if (longest(ofAll) === 0 && longest(ofOwn) === 0) return [this.#took(all, toMailbox), this.#took(own, fromNetwork)]
    const isNew = this.#waits(own, { cooldown: DAY }).cooldown === 0
    if (ofAll.long > 0 && ofAll.cooldown === 0 && isNew && longest(this.#waits(reserve, fromReserve)) === 0) {
      return [this.#took(reserve, fromReserve), this.#took(own, fromNetwork)]
    }
    return longest(ofAll) > 0 ? longest(ofAll) : longest(ofOwn)
  }

  verify ({ address, code, carried, device, presented, made }: {
    address: string
    /** As it is read: digits and capitals. */
    code: string
    carried: string | null
    device: Device | null
    presented: Refresh | null
    made: { sid: string }
  }): Foretold {
    const { state, now } = this
    const challenge = this.#open(address, code, carried)
    if ('status' in challenge) return challenge
    this.#clearInARow(address)
    if (challenge.device !== null) this.#clearInARow(challenge.device)
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

  /** @returns the challenge that the code opened, or the answer where it opened none */
  #open (address: string, code: string, carried: string | null): Challenge | Foretold {
    const { state, now } = this
    const bound = state.challenges.find((one) => one.id === carried && one.address === address && one.newest.until > now)
    if (bound !== undefined && !bound.isConsumed) {
      if (bound.attempts >= tries) return refused(429, 'TOO_MANY_ATTEMPTS')
      if (!this.#codesOf(bound).some(({ length }) => length === code.length)) return wrong(tries - bound.attempts)
      bound.attempts++
      if (this.#fits(bound, code)) return this.#consume(bound)
      this.write(null)
      this.#fail(address)
      if (bound.device !== null) this.#fail(bound.device)
      return wrong(tries - bound.attempts)
    }
    // A double click charges nobody.
    if (bound !== undefined && [bound.newest, bound.before].some((one) => one?.text === code)) return wrong()

    const live = state.challenges.filter((one) => one.address === address && this.#lives(one) && one.attempts < tries)
    if (!live.some((one) => this.#codesOf(one).some(({ length }) => length === code.length))) return wrong()
    if (code.length < LONG && failureWait(state.failures[address], settings.failureLimits, now) > 0) return wrong()
    if (!this.#take(`unbound ${address}`, unboundAttempts)) return wrong()
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
  #take = (key: string, limits: Limits) => this.write(take(this.state.counters, key, limits, this.now))
  #fail = (key: string) => this.write(fail(this.state.failures, key, this.now))
  #consume = (challenge: Challenge) => this.write(Object.assign(challenge, { isConsumed: true }))
  #took (key: string, limits: Limits): string {
    this.#take(key, limits)
    return key
  }

  #giveBack (key: string, what: { cooldown: boolean, counts: boolean }): void {
    this.write(giveBack(this.state.counters, key, this.now, what))
  }

  #clearInARow (key: string): void {
    const failures = this.state.failures[key]
    if (failures !== undefined) this.write(failures.consecutive = 0)
  }
}
