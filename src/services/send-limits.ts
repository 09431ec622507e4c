import { DAY, HOUR } from '../core/duration.ts'
import { tooManyRequests } from '../errors.ts'
import type { CounterIncrement, CounterWindow } from '../storage/contract.ts'
import type { Services } from './services.ts'

/** How often per hour a refused email is given back. A provider that is down must not be asked again and again. */
const REFUNDS_PER_HOUR = 3

const perHour = (limit: number): CounterWindow => ({ length: HOUR, limit })
const perDay = (limit: number): CounterWindow => ({ length: DAY, limit })
const unlimited: CounterWindow = perDay(Number.MAX_SAFE_INTEGER)

/** One email that was counted, with what is needed to give it back. */
export interface CountedSend {
  /** The counter that limits refunds. */
  refundKey: string
  increments: readonly CounterIncrement[]
}

interface SendRequest {
  email: string
  emailHash: string
  /** ID of a browser that has logged in to this address before. */
  device: string | null
  network: string
  now: number
}

/**
 * Counts one email. A remembered browser has its own limits. Any other browser shares the limits of the mailbox, and the
 * limits of its network for this mailbox.
 *
 * @throws tooManyRequests with the time until an attempt can succeed
 */
export async function countSend (services: Services, request: SendRequest): Promise<CountedSend> {
  const refundKey = services.counterKeys.refundsToMailbox(request.email)
  const { increments, wait } = request.device === null
    ? await countForPublic(services, request)
    : await countForDevice(services, request, request.device)
  if (increments !== null) return { refundKey, increments }

  services.emit({ type: 'otp.refused', emailHash: request.emailHash, reason: 'send-limit' })
  throw tooManyRequests(Math.max(wait.cooldown, wait.short, wait.long))
}

/** Either the increments that were made, or how long the client has to wait. */
type CountResult = { increments: readonly CounterIncrement[], wait: null } | { increments: null, wait: Wait }

async function countForDevice (services: Services, { email, now }: SendRequest, device: string): Promise<CountResult> {
  const { counterKeys, options: { cooldown, sendLimits } } = services
  const increment = {
    key: counterKeys.sendsToDevice(email, device),
    now,
    cooldown,
    short: perHour(sendLimits.perDevicePerHour),
    long: perDay(sendLimits.perDevicePerDay)
  }
  const increments = await incrementAll(services, [increment])
  return increments === null ? { increments, wait: await waitFor(services, increment) } : { increments, wait: null }
}

async function countForPublic (services: Services, { email, network, now }: SendRequest): Promise<CountResult> {
  const { counterKeys, options: { cooldown, sendLimits } } = services
  const fromNetwork = {
    key: counterKeys.sendsFromNetwork(email, network), now, cooldown: 0, short: perHour(sendLimits.perNetworkPerHour), long: unlimited
  }
  const toMailbox = {
    key: counterKeys.sendsToMailbox(email), now, cooldown, short: perHour(sendLimits.perHour), long: perDay(sendLimits.perDay)
  }

  // A network that has reached its limit is refused before the mailbox's counter is touched. Incrementing that counter and
  // undoing it would restart the mailbox's cooldown again and again and keep its owner out. The same holds for the reserve.
  const sinceLastSend = await waitFor(services, { ...fromNetwork, cooldown: DAY })
  const increments = sinceLastSend.short > 0 ? null : await incrementAll(services, [toMailbox, fromNetwork])
  if (increments !== null) return { increments, wait: null }

  const mailboxWait = await waitFor(services, toMailbox)
  const dayIsReached = mailboxWait.long > 0 && mailboxWait.cooldown <= 0
  const networkIsNew = sinceLastSend.cooldown <= 0
  if (dayIsReached && networkIsNew) {
    // A flood from known networks must not lock out an owner who comes from another network.
    const fromReserve = {
      ...toMailbox, key: counterKeys.reserveOfMailbox(email), short: unlimited, long: perDay(sendLimits.reservePerDay)
    }
    const reserved = await incrementAll(services, [fromReserve, { ...fromNetwork, cooldown: DAY }])
    if (reserved !== null) return { increments: reserved, wait: null }
  }
  return { increments: null, wait: isWaiting(mailboxWait) ? mailboxWait : await waitFor(services, fromNetwork) }
}

/** Increments one counter after the other. If one refuses, the earlier ones are decremented again. */
async function incrementAll (services: Services, increments: readonly CounterIncrement[]): Promise<readonly CounterIncrement[] | null> {
  for (const [position, increment] of increments.entries()) {
    if (await services.storage.incrementCounter(increment)) continue
    await decrementAll(services, increments.slice(0, position), { counts: true })
    return null
  }
  return increments
}

async function decrementAll (
  { storage }: Services, increments: readonly CounterIncrement[], { counts }: { counts: boolean }
): Promise<void> {
  for (const [position, { key, now }] of increments.entries()) {
    // The network's counter, which is never the first, keeps its time: it tells whether the network is new to the mailbox.
    await storage.decrementCounter({ key, takenAt: now, cooldown: position === 0, counts })
  }
}

/** Gives back an email that the provider refused, at most three times an hour. Further refused emails stay counted. */
export async function refundSend (services: Services, send: CountedSend, now: number): Promise<void> {
  const refund = { key: send.refundKey, now, cooldown: 0, short: perHour(REFUNDS_PER_HOUR), long: unlimited }
  if (await services.storage.incrementCounter(refund)) await decrementAll(services, send.increments, { counts: true })
}

/** Ends the cooldown of an email that may still arrive. The email itself stays counted. */
export async function releaseCooldown (services: Services, send: CountedSend): Promise<void> {
  await decrementAll(services, send.increments.slice(0, 1), { counts: false })
}

/** Milliseconds until each part of a counter allows another event; 0 or less if it does now. */
interface Wait {
  cooldown: number
  short: number
  long: number
}

async function waitFor ({ storage }: Services, { key, now, cooldown, short, long }: CounterIncrement): Promise<Wait> {
  const counter = await storage.readCounter(key)
  if (counter === null) return { cooldown: cooldown === 0 ? 0 : cooldown - now, short: 0, long: 0 }
  return {
    cooldown: cooldown === 0 ? 0 : counter.lastAt + cooldown - now,
    short: counter.shortCount < short.limit ? 0 : counter.shortFrom + short.length - now,
    long: counter.longCount < long.limit ? 0 : counter.longFrom + long.length - now
  }
}

function isWaiting ({ cooldown, short, long }: Wait): boolean {
  return cooldown > 0 || short > 0 || long > 0
}
