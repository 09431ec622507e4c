import { DAY, HOUR } from '../core/duration.ts'
import { tooManyRequests } from '../errors.ts'
import type { Budget, BudgetTake, BudgetWindow } from '../storage/storage.ts'
import type { Flow } from './flow.ts'

const UNLIMITED: BudgetWindow = { length: DAY, limit: Number.MAX_SAFE_INTEGER }
const EMPTY: Omit<Budget, 'key'> = { lastAt: 0, shortFrom: 0, shortCount: 0, longFrom: 0, longCount: 0, inARow: 0, expiresAt: 0 }

/** NIST counts failures in a row without an end; ours lapse, so that a forgotten account finds the short code again. */
const FAILURES_LAPSE = 30 * DAY

/** Sends that an owner may have back in an hour after the mailer refused: a mailer that is down must not be hammered. */
const REFUNDS_PER_HOUR = 3

async function readBudget ({ storage }: Flow, key: string): Promise<Omit<Budget, 'key'>> {
  return await storage.readBudget(key) ?? EMPTY
}

/** One mail's worth of budgets, taken. */
export interface Send {
  /** Key of the budget that limits refunds. */
  refundKey: string
  taken: readonly BudgetTake[]
}

/**
 * Takes one mail from the budgets of a mailbox, or of a device that has logged in before.
 *
 * @throws tooManyRequests with the time until a try can succeed
 */
export async function takeSend (flow: Flow, { email, subject, device, network, now }: {
  email: string
  subject: string
  device: string | null
  network: string
  now: number
}): Promise<Send> {
  const { keyring, options: { cooldown, sendBudget }, emit } = flow
  const refundKey = keyring.refundsToMailbox(email)
  const perHour = (limit: number): BudgetWindow => ({ length: HOUR, limit })
  const perDay = (limit: number): BudgetWindow => ({ length: DAY, limit })
  function refuse (wait: Wait): never {
    emit({ type: 'otp.refused', subject, reason: 'send-budget' })
    throw tooManyRequests(Math.max(wait.cooldown, wait.short, wait.long))
  }

  if (device !== null) {
    const key = keyring.sendsToDevice(email, device)
    const take = { key, now, cooldown, short: perHour(sendBudget.perDevicePerHour), long: perDay(sendBudget.perDevicePerDay) }
    return { refundKey, taken: await takeAll(flow, [take]) ?? refuse(await waitFor(flow, take)) }
  }

  const fromNetwork = {
    key: keyring.sendsFromNetwork(email, network), now, cooldown: 0, short: perHour(sendBudget.perNetworkPerHour), long: UNLIMITED
  }
  const toMailbox = {
    key: keyring.sendsToMailbox(email), now, cooldown, short: perHour(sendBudget.perHour), long: perDay(sendBudget.perDay)
  }
  // A network that has had its share is refused before it touches the mailbox: to take from that and give back would hold
  // its cool-down for as long as somebody asks, and keep its owner out. The same goes for the reserve.
  const sinceLast = await waitFor(flow, { ...fromNetwork, cooldown: DAY })
  const taken = sinceLast.short > 0 ? null : await takeAll(flow, [toMailbox, fromNetwork])
  if (taken !== null) return { refundKey, taken }

  const wait = await waitFor(flow, toMailbox)
  const publicDayIsSpent = wait.long > 0 && wait.cooldown <= 0
  const networkIsNew = sinceLast.cooldown <= 0
  if (publicDayIsSpent && networkIsNew) {
    // A flood from known networks must not shut out an owner who comes from elsewhere.
    const fromReserve = { ...toMailbox, key: keyring.reserveOfMailbox(email), short: UNLIMITED, long: perDay(sendBudget.reservePerDay) }
    const reserved = await takeAll(flow, [fromReserve, { ...fromNetwork, cooldown: DAY }])
    if (reserved !== null) return { refundKey, taken: reserved }
  }
  return refuse(isRefusing(wait) ? wait : await waitFor(flow, fromNetwork))
}

/** Takes from each budget in turn; where one refuses, those before it get theirs back. */
async function takeAll (flow: Flow, takes: readonly BudgetTake[]): Promise<readonly BudgetTake[] | null> {
  for (const [position, take] of takes.entries()) {
    if (await flow.storage.takeBudget(take)) continue
    await returnTakes(flow, takes.slice(0, position), { counts: true })
    return null
  }
  return takes
}

async function returnTakes ({ storage }: Flow, takes: readonly BudgetTake[], { counts }: { counts: boolean }): Promise<void> {
  for (const [position, { key, now }] of takes.entries()) {
    // The network's own row (never the first) keeps its time: it tells whether the network is new to the mailbox.
    await storage.returnBudget({ key, takenAt: now, cooldown: position === 0, counts })
  }
}

/** Gives a refused mail back, at most three times an hour; beyond that it is spent. */
export async function refundSend (flow: Flow, send: Send, now: number): Promise<void> {
  const refund = { key: send.refundKey, now, cooldown: 0, short: { length: HOUR, limit: REFUNDS_PER_HOUR }, long: UNLIMITED }
  if (await flow.storage.takeBudget(refund)) await returnTakes(flow, send.taken, { counts: true })
}

/** Gives the cool-down of a mail back that may still arrive; the mail itself stays counted. */
export async function returnCooldown (flow: Flow, send: Send): Promise<void> {
  await returnTakes(flow, send.taken.slice(0, 1), { counts: false })
}

/** Milliseconds until each part of a budget admits again; 0 or less where it does already. */
interface Wait {
  cooldown: number
  short: number
  long: number
}

async function waitFor (flow: Flow, { key, now, cooldown, short, long }: BudgetTake): Promise<Wait> {
  const budget = await readBudget(flow, key)
  return {
    cooldown: cooldown === 0 ? 0 : budget.lastAt + cooldown - now,
    short: budget.shortCount < short.limit ? 0 : budget.shortFrom + short.length - now,
    long: budget.longCount < long.limit ? 0 : budget.longFrom + long.length - now
  }
}

function isRefusing ({ cooldown, short, long }: Wait): boolean {
  return cooldown > 0 || short > 0 || long > 0
}

/** Takes one unbound guess at a subject: `maxOtpAttempts` in each `otpExpiry`. */
export async function takeUnboundGuess ({ storage, keyring, options }: Flow, subject: string, now: number): Promise<boolean> {
  const short = { length: options.otpExpiry, limit: options.maxOtpAttempts }
  return await storage.takeBudget({ key: keyring.unboundGuesses(subject), now, cooldown: 0, short, long: UNLIMITED })
}

/** @returns milliseconds until the failure budget is whole enough for short codes; 0 where it is */
export async function failureBudgetWait (flow: Flow, key: string, now: number): Promise<number> {
  const { perDay, inARow } = flow.options.failureBudget
  const budget = await readBudget(flow, key)
  const dayEnds = budget.longCount >= perDay ? budget.longFrom + DAY - now : 0
  const rowLapses = budget.inARow >= inARow ? budget.lastAt + FAILURES_LAPSE - now : 0
  return Math.max(0, dayEnds, rowLapses)
}

/** Counts a guess that was compared and did not fit, against its subject and, for a device's request, the device. */
export async function countFailure (flow: Flow, subject: string, deviceKey: string | null, now: number): Promise<void> {
  const { storage, keyring, options: { failureBudget }, emit } = flow
  const count = (key: string) => storage.countFailure({ key, now, window: DAY, lapse: FAILURES_LAPSE })
  const { inWindow, inARow } = await count(keyring.failures(subject))
  if (deviceKey !== null) await count(deviceKey)
  emit({ type: 'otp.failed', subject, failuresInDay: inWindow, failuresInARow: inARow })
  if (inWindow === failureBudget.perDay || inARow === failureBudget.inARow) emit({ type: 'failure-budget.spent', subject })
}

/** A right code ends the row of failures; the day's count stays (NIST SP 800-63B: a new code resets nothing). */
export async function clearFailuresInARow ({ storage, keyring }: Flow, subject: string, deviceKey: string | null): Promise<void> {
  await storage.clearFailuresInARow(keyring.failures(subject))
  if (deviceKey !== null) await storage.clearFailuresInARow(deviceKey)
}
