import type { Test } from 'tap'
import { createCounterKeys } from '../../../src/core/counter-keys.ts'
import type { Counter, Session } from '../../../src/storage/contract.ts'
import type { Answer, Browser } from '../browser.ts'
import { visitor, type Target } from '../target.ts'

/** One attack, which can run against any target. */
export type Attack = (t: Test, target: Target) => Promise<void>

const counterKeys = createCounterKeys('otp_auth')

export const failuresOf = async ({ store }: Target, email: string): Promise<Counter | null> =>
  await store.storage.readCounter(counterKeys.failures(counterKeys.emailHash(email)))

export const sendsTo = async ({ store }: Target, email: string): Promise<Counter | null> =>
  await store.storage.readCounter(counterKeys.sendsToMailbox(email))

let addresses = 0

/** An email that no test has used before, so it has its own limits. */
export const freshAddress = (): string => `person-${++addresses}@example.com`

/** Runs `act` that many times in parallel. */
export async function atOnce<T> (times: number, act: (position: number) => Promise<T>): Promise<T[]> {
  return await Promise.all(Array.from({ length: times }, (_, position) => act(position)))
}

/** Runs `act` that many times, at most `width` of them in parallel. */
export async function withConcurrency (times: number, width: number, act: (position: number) => Promise<void>): Promise<void> {
  let next = 0
  await atOnce(width, async () => {
    while (next < times) await act(next++)
  })
}

/** A browser that requested a code, and the code from the email. */
export interface Asked {
  browser: Browser
  email: string
  id: string
  code: string
}

/** Requests a code for each email, each in its own browser. At most `sizes.parallel` requests run in parallel. */
export async function askForCodes (target: Target, addresses: readonly string[]): Promise<Asked[]> {
  const asked: Array<Omit<Asked, 'code'>> = []
  await withConcurrency(addresses.length, target.sizes.parallel, async (n) => {
    const email = addresses[n]!
    const browser = visitor(target)
    asked[n] = { browser, email, id: expect200(await browser.requestOtp(email)).body.request_id }
  })
  const emails = await target.emails()
  return asked.map((one) => ({ ...one, code: emails.findLast(({ email, ip }) => email === one.email && ip === one.browser.ip)!.code }))
}

export async function askForCode (target: Target, email = freshAddress()): Promise<Asked> {
  return (await askForCodes(target, [email]))[0]!
}

/** Enters the right code in the browser that requested it. @returns the access token */
export async function enterCode ({ browser, email, code }: Asked): Promise<string> {
  return expect200(await browser.verifyOtp(email, code)).body.access_token
}

/** That many codes, none of which is in `right`. */
export function wrongCodes (amount: number, ...right: string[]): string[] {
  const codes: string[] = []
  for (let number = 0; codes.length < amount; number += 4_111) {
    const code = String(number % 1_000_000).padStart(6, '0')
    if (!right.includes(code)) codes.push(code)
  }
  return codes
}

export function expect200 (answer: Answer): Answer {
  if (answer.status !== 200) throw new Error(`the response was ${answer.status}: ${JSON.stringify(answer.body)}`)
  return answer
}

/** Counts the responses of each kind. A kind is the status and, for an error, its code. */
export function tally (answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const kind = body.code === undefined ? `${status}` : `${status} ${body.code}`
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** The session and the user of an access token, to find them in the database. */
export function readToken (token: string): { sessionId: string, userId: string } {
  const { sid, sub } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
  return { sessionId: sid, userId: sub }
}

export async function sessionOf ({ store }: Target, token: string): Promise<Session> {
  return (await store.storage.loadSession(readToken(token)))!.session
}
