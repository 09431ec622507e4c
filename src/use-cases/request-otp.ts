import { randomId } from '../core/clock-and-random.ts'
import type { Device } from '../core/device-cookie.ts'
import { LONG_CODE_LENGTH, macOfCode, makeCode } from '../core/otp-code.ts'
import { deliveryFailed, tooManyRequests } from '../errors.ts'
import { isAllowed } from '../services/access.ts'
import type { DeliveryOutcome } from '../services/delivery.ts'
import { normalizeEmail } from '../services/email.ts'
import { failureLimitWait } from '../services/failure-limits.ts'
import { countSend, releaseCooldown, releaseSend, type CountedSend } from '../services/send-limits.ts'
import type { AppRequest, Services } from '../services/services.ts'

export interface RequestOtpInput {
  email: string
  /** The request ID that the client sent, if any. It is ignored unless it belongs to a live challenge of this address. */
  requestId: string | undefined
  device: Device | null
  network: string
  request: AppRequest
}

export interface RequestedOtp {
  requestId: string
  codeLength: number
  /** Sends the email if delivery is not awaited. Call it when the response has been sent. Never rejects. */
  afterResponse: () => Promise<void>
}

/** A code that was counted and stored, with the values that are needed to undo both. */
interface IssuedCode {
  send: CountedSend
  requestId: string
  codeMac: string
}

/**
 * Creates a code and sends it by email.
 *
 * Every address causes the same storage calls. An address that gets no email gets a decoy: a challenge that no code matches.
 * So neither the response nor its time reveals who has an account. No user is created here.
 *
 * @throws OTP_AUTH_TOO_MANY_REQUESTS if the cooldown has not ended or a limit is reached
 * @throws OTP_AUTH_DELIVERY_FAILED if delivery is awaited and fails
 */
export async function requestOtp (services: Services, input: RequestOtpInput): Promise<RequestedOtp> {
  const { options: { clock, random, otpExpiry }, storage, counterKeys, keys, emit } = services
  const now = clock()
  const email = normalizeEmail(services, input.email)
  const emailHash = counterKeys.emailHash(email)
  const device = input.device?.emailHashes.includes(emailHash) === true ? input.device.id : null
  const deviceKey = device === null ? null : counterKeys.failuresOfDevice(emailHash, device)

  const codeLength = await nextCodeLength(services, emailHash, deviceKey, now)
  const send = await countSend(services, { email, emailHash, device, network: input.network, now })
  const user = await storage.findUser(email)
  const mayLogIn = await isAllowed(services, email, user?.row ?? null, input.request, 'request')
  const getsEmail = mayLogIn && (user !== null || services.options.autoCreateUser)

  const code = services.options.developerMode ? '0'.repeat(codeLength) : makeCode(codeLength, random)
  // Both are always computed: leaving one out would save some microseconds, and the response time would reveal it.
  const genuineMac = macOfCode(keys.code[0]!, emailHash, code)
  const decoyMac = random.bytes(32).toString('base64url')
  const codeMac = getsEmail ? genuineMac : decoyMac
  const expiresAt = now + otpExpiry
  const requestId = await saveChallenge(services, input.requestId, { emailHash, codeMac, codeLength, expiresAt, deviceKey }, now)
  emit({ type: 'otp.requested', emailHash, codeLength })

  const issued: IssuedCode = { send, requestId, codeMac }
  const deliver = async () => {
    const outcome = await services.delivery.send({
      email, code, expiresAt: new Date(expiresAt), isNewUser: user?.isVerified !== true, request: input.request
    })
    if (outcome !== 'sent') emit({ type: 'delivery.failed', emailHash, reason: outcome })
    return outcome
  }
  if (getsEmail && services.options.awaitDelivery) await undoUnlessSent(services, issued, await deliver())
  const afterResponse = async () => {
    // After the response nothing is released: a cooldown that ends early would reveal that an email was attempted.
    if (getsEmail && !services.options.awaitDelivery) await deliver()
  }
  return { requestId, codeLength, afterResponse }
}

/**
 * The length of the next code. After a failure limit is reached, codes are long: guessing becomes useless, and nobody is
 * locked out. A remembered browser is only affected by its own failures.
 */
async function nextCodeLength (services: Services, emailHash: string, deviceKey: string | null, now: number): Promise<number> {
  const { options, counterKeys, emit } = services
  const wait = await failureLimitWait(services, deviceKey ?? counterKeys.failures(emailHash), now)
  if (wait === 0) return options.otpLength
  if (options.onFailureLimit === 'long-code') return LONG_CODE_LENGTH
  emit({ type: 'otp.refused', emailHash, reason: 'failure-limit' })
  throw tooManyRequests(wait)
}

/**
 * Renews the challenge of a client that requests another code; otherwise stores a new one. An ID that does not belong to a live
 * challenge of this address is never used: an attacker could have planted it in the browser, and would then share the attempts.
 */
async function saveChallenge (
  { storage, options: { random } }: Services,
  requestId: string | undefined,
  code: { emailHash: string, codeMac: string, codeLength: number, expiresAt: number, deviceKey: string | null },
  now: number
): Promise<string> {
  if (requestId !== undefined && await storage.renewChallenge({ ...code, id: requestId, now })) return requestId
  const id = randomId(random)
  await storage.insertChallenge({ ...code, id })
  return id
}

/** @throws OTP_AUTH_DELIVERY_FAILED unless the email was sent */
async function undoUnlessSent (services: Services, issued: IssuedCode, outcome: DeliveryOutcome): Promise<void> {
  if (outcome === 'sent') return
  const now = services.options.clock()
  if (outcome === 'rejected') {
    await services.storage.withdrawCode({ id: issued.requestId, mac: issued.codeMac, now })
    await releaseSend(services, issued.send, now)
  } else {
    // The email may still arrive, so its code stays valid and the email stays counted.
    await releaseCooldown(services, issued.send)
  }
  throw deliveryFailed()
}
