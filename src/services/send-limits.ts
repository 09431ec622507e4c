import { DAY } from '../core/duration.ts'
import { tooManyRequests } from '../errors.ts'
import type { Counter, CounterIncrement } from '../storage/contract.ts'
import { perDay, perHour, unlimited } from './counter-windows.ts'
import type { Services } from './services.ts'

/** How many rejected emails per hour are removed from the counts. A provider that is down must not be asked again and again. */
const RELEASES_PER_HOUR = 3

/** One increment of one counter, as part of counting an email. */
interface SendIncrement {
  increment: CounterIncrement
  /**
   * Whether releasing the increment also ends the counter's cooldown. Not for the counter of a network: its `lastAt` shows
   * whether the network is new to the mailbox.
   */
  endsCooldown: boolean
}

/** One email that was counted, with the values that are needed to release it. */
export interface CountedSend {
  /** The key of the counter that limits releases. */
  releasesKey: string
  increments: readonly SendIncrement[]
}

interface SendRequest {
  email: string
  emailHash: string
  /** ID of a browser that has logged in with this address before. */
  device: string | null
  network: string
  now: number
}

/**
 * Counts one email. A remembered browser has its own limits. Any other browser shares the limits of the mailbox, and the
 * limits of its network for this mailbox.
 *
 * @throws OTP_AUTH_TOO_MANY_REQUESTS with the time until an attempt can succeed
 */
export async function countSend (services: Services, request: SendRequest): Promise<CountedSend> {
  const { increments, wait } = request.device === null
    ? await countForPublic(services, request)
    : await countForDevice(services, request, request.device)
  if (increments !== null) return { releasesKey: services.counterKeys.releasesOfMailbox(request.email), increments }

  services.emit({ type: 'otp.refused', emailHash: request.emailHash, reason: 'send-limit' })
  throw tooManyRequests(Math.max(wait.cooldown, wait.short, wait.long))
}

/** Either the increments that were made, or how long the client has to wait. */
type CountResult = { increments: readonly SendIncrement[], wait: null } | { increments: null, wait: Wait }

async function countForDevice (services: Services, { email, now }: SendRequest, device: string): Promise<CountResult> {
  const { counterKeys, storage, options: { cooldown, sendLimits } } = services
  const fromDevice = {
    key: counterKeys.sendsFromDevice(email, device),
    now,
    cooldown,
    short: perHour(sendLimits.perDevicePerHour),
    long: perDay(sendLimits.perDevicePerDay)
  }
  const increments = await incrementAll(services, [{ increment: fromDevice, endsCooldown: true }])
  if (increments !== null) return { increments, wait: null }
  return { increments: null, wait: waitFor(fromDevice, await storage.readCounter(fromDevice.key)) }
}

async function countForPublic (services: Services, { email, network, now }: SendRequest): Promise<CountResult> {
  const { counterKeys, storage, options: { cooldown, sendLimits } } = services
  const fromNetwork = {
    key: counterKeys.sendsFromNetwork(email, network), now, cooldown: 0, short: perHour(sendLimits.perNetworkPerHour), long: unlimited
  }
  const toMailbox = {
    key: counterKeys.sendsToMailbox(email), now, cooldown, short: perHour(sendLimits.perHour), long: perDay(sendLimits.perDay)
  }

  // A network that has reached its limit is refused before the mailbox's counter is touched. Otherwise each refused request of
  // that network would start the mailbox's cooldown for a moment, and many of them could keep the owner out.
  const networkCounter = await storage.readCounter(fromNetwork.key)
  if (waitFor(fromNetwork, networkCounter).short === 0) {
    const increments = await incrementAll(services, [
      { increment: toMailbox, endsCooldown: true },
      { increment: fromNetwork, endsCooldown: false }
    ])
    if (increments !== null) return { increments, wait: null }
  }

  const mailboxWait = waitFor(toMailbox, await storage.readCounter(toMailbox.key))
  const dailyLimitReached = mailboxWait.long > 0 && mailboxWait.cooldown === 0
  // A flood from known networks must not lock out an owner who comes from another network. The reserve is only tried for a
  // network that is new to the mailbox, because the reserve has a cooldown, too.
  if (dailyLimitReached && isNewToMailbox(networkCounter, now)) {
    const fromReserve = {
      ...toMailbox, key: counterKeys.reserveOfMailbox(email), short: unlimited, long: perDay(sendLimits.reservePerDay)
    }
    const increments = await incrementAll(services, [
      { increment: fromReserve, endsCooldown: true },
      // With a cooldown of a day, the counter itself checks that the network is new. So only one of several parallel requests of
      // a network gets an email from the reserve.
      { increment: { ...fromNetwork, cooldown: DAY }, endsCooldown: false }
    ])
    if (increments !== null) return { increments, wait: null }
  }
  if (isWaiting(mailboxWait)) return { increments: null, wait: mailboxWait }
  return { increments: null, wait: waitFor(fromNetwork, await storage.readCounter(fromNetwork.key)) }
}

/** Whether a network has sent nothing to the mailbox in the last 24 hours. */
function isNewToMailbox (networkCounter: Counter | null, now: number): boolean {
  return networkCounter === null || networkCounter.lastAt + DAY <= now
}

/** Increments one counter after the other. If one refuses, the earlier ones are released. */
async function incrementAll (services: Services, increments: readonly SendIncrement[]): Promise<readonly SendIncrement[] | null> {
  for (const [position, { increment }] of increments.entries()) {
    if (await services.storage.incrementCounter(increment)) continue
    await releaseAll(services, increments.slice(0, position))
    return null
  }
  return increments
}

/** Undoes increments: removes the email from the counts and ends the cooldown that it started. */
async function releaseAll ({ storage }: Services, increments: readonly SendIncrement[]): Promise<void> {
  for (const { increment: { key, now }, endsCooldown } of increments) {
    await storage.decrementCounter({ key, takenAt: now, cooldown: endsCooldown, counts: true })
  }
}

/** Releases an email that the provider rejected, at most three times an hour. Further rejected emails stay counted. */
export async function releaseSend (services: Services, { releasesKey, increments }: CountedSend, now: number): Promise<void> {
  const release = { key: releasesKey, now, cooldown: 0, short: perHour(RELEASES_PER_HOUR), long: unlimited }
  if (await services.storage.incrementCounter(release)) await releaseAll(services, increments)
}

/** Ends the cooldown of an email that may still arrive. The email itself stays counted. */
export async function releaseCooldown ({ storage }: Services, { increments }: CountedSend): Promise<void> {
  for (const { increment: { key, now } } of increments.filter(({ endsCooldown }) => endsCooldown)) {
    await storage.decrementCounter({ key, takenAt: now, cooldown: true, counts: false })
  }
}

/** Milliseconds until each part of a counter allows another event; 0 if it does now. */
interface Wait {
  cooldown: number
  short: number
  long: number
}

function waitFor ({ now, cooldown, short, long }: CounterIncrement, counter: Counter | null): Wait {
  if (counter === null) return { cooldown: 0, short: 0, long: 0 }
  return {
    cooldown: cooldown === 0 ? 0 : Math.max(0, counter.lastAt + cooldown - now),
    short: counter.shortCount < short.limit ? 0 : Math.max(0, counter.shortFrom + short.length - now),
    long: counter.longCount < long.limit ? 0 : Math.max(0, counter.longFrom + long.length - now)
  }
}

function isWaiting ({ cooldown, short, long }: Wait): boolean {
  return cooldown > 0 || short > 0 || long > 0
}
