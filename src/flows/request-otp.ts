import { LONG_CODE_LENGTH, macOfCode, makeCode } from '../core/otp-code.ts'
import type { Device } from '../core/device.ts'
import { deliveryFailed, tooManyRequests } from '../errors.ts'
import { failureBudgetWait, refundSend, returnCooldown, takeSend, type Send } from './budgets.ts'
import { isAllowed, normalizeEmail, type Flow, type HostRequest } from './flow.ts'

export interface OtpRequest {
  email: string
  /** The id that the client carries, if any: only a live one of the same subject means anything. */
  requestId: string | undefined
  device: Device | null
  network: string
  request: HostRequest
}

export interface RequestedOtp {
  requestId: string
  codeLength: number
  /** Sends the mail, where delivery is not awaited: to be called once the answer is out. Never rejects. */
  afterAnswer: () => Promise<void>
}

/** A code on its way: what is needed to take it back. */
interface SentCode {
  send: Send
  subject: string
  requestId: string
  codeMac: string
}

/**
 * Makes a code and mails it. The same statements run for every address: one that gets no mail gets a decoy that no code
 * opens, so neither the answer nor its time tells who has an account. No user is made here.
 */
export async function requestOtp (flow: Flow, input: OtpRequest): Promise<RequestedOtp> {
  const { options: { clock, random, otpExpiry }, storage, keyring, keys, emit } = flow
  const now = clock()
  const email = normalizeEmail(flow, input.email)
  const subject = keyring.subject(email)
  const device = input.device?.subjects.includes(subject) === true ? input.device.id : null
  const deviceKey = device === null ? null : keyring.failuresOfDevice(subject, device)

  const codeLength = await nextCodeLength(flow, subject, deviceKey, now)
  const send = await takeSend(flow, { email, subject, device, network: input.network, now })
  const user = await storage.findUser(email)
  const isInvited = await isAllowed(flow, email, user?.row ?? null, input.request, 'request')
  const isMailed = isInvited && (user !== null || flow.options.autoCreateUser)

  const code = flow.options.developerMode ? '0'.repeat(codeLength) : makeCode(codeLength, random)
  // Both are always made: one alone would take some microseconds less, and time tells.
  const genuineMac = macOfCode(keys.code[0]!, subject, code)
  const decoyMac = random.bytes(32).toString('base64url')
  const codeMac = isMailed ? genuineMac : decoyMac
  const expiresAt = now + otpExpiry
  const requestId = await saveChallenge(flow, input.requestId, { subject, codeMac, codeLength, expiresAt, deviceKey }, now)
  emit({ type: 'otp.requested', subject, codeLength })

  const sent: SentCode = { send, subject, requestId, codeMac }
  const deliver = () => flow.delivery.send({
    email, code, expiresAt: new Date(expiresAt), isNewUser: user?.isVerified !== true, request: input.request
  })
  if (isMailed && flow.options.awaitDelivery) await deliverNow(flow, deliver, sent)
  const afterAnswer = async () => {
    if (isMailed && !flow.options.awaitDelivery) await deliverBehind(flow, deliver, sent)
  }
  return { requestId, codeLength, afterAnswer }
}

/**
 * The length of the next code: long once the failure budget is spent, so that guessing stops and nobody is locked out.
 * A device that has logged in before answers for its own failures alone.
 */
async function nextCodeLength (flow: Flow, subject: string, deviceKey: string | null, now: number): Promise<number> {
  const { options, keyring, emit } = flow
  const wait = await failureBudgetWait(flow, deviceKey ?? keyring.failures(subject), now)
  if (wait === 0) return options.otpLength
  if (options.onFailureBudget === 'long-code') return LONG_CODE_LENGTH
  emit({ type: 'otp.refused', subject, reason: 'failure-budget' })
  throw tooManyRequests(wait)
}

/**
 * Keeps the challenge of a client that asks again, and makes a new one otherwise. An id that is not of a live challenge of
 * this subject is never adopted: a planted one would let its planter guess along.
 */
async function saveChallenge (
  { storage, options: { random } }: Flow,
  carriedId: string | undefined,
  code: { subject: string, codeMac: string, codeLength: number, expiresAt: number, deviceKey: string | null },
  now: number
): Promise<string> {
  if (carriedId !== undefined && await storage.renewChallenge({ ...code, id: carriedId, now })) return carriedId
  const id = random.bytes(16).toString('base64url')
  await storage.insertChallenge({ ...code, id })
  return id
}

/** @throws deliveryFailed */
async function deliverNow (flow: Flow, deliver: () => ReturnType<Flow['delivery']['send']>, sent: SentCode): Promise<void> {
  const outcome = await deliver()
  if (outcome === 'sent') return
  flow.emit({ type: 'delivery.failed', subject: sent.subject, reason: outcome })
  const now = flow.options.clock()
  if (outcome === 'rejected') {
    await flow.storage.withdrawCode({ id: sent.requestId, mac: sent.codeMac, now })
    await refundSend(flow, sent.send, now)
  } else {
    // The mail may still come: its code stays good and its budget spent.
    await returnCooldown(flow, sent.send)
  }
  throw deliveryFailed()
}

/** Behind the answer nothing is given back, for a cool-down that is suddenly over would tell that a mail was tried. */
async function deliverBehind (flow: Flow, deliver: () => ReturnType<Flow['delivery']['send']>, sent: SentCode): Promise<void> {
  const outcome = await deliver()
  if (outcome !== 'sent') flow.emit({ type: 'delivery.failed', subject: sent.subject, reason: outcome })
}
