import { visitor, type Target } from '../target.ts'
import {
  askForCode, askForCodes, atOnce, enterCode, expect200, freshAddress, withConcurrency, sessionOf, tally, type Attack
} from './attack.ts'
import { Browser } from '../browser.ts'

const REFRESH = '__Host-refresh_token'

/** Another tab with the same refresh cookie, at the nth server. */
function tab (target: Target, { ip, cookies }: Browser, server: number): Browser {
  const other = new Browser(target.server(server), ip)
  other.cookies.set(REFRESH, cookies.get(REFRESH)!)
  return other
}

/** Many tabs refresh one token in parallel, and again after the grace period. Each time it is rotated once, and nobody is logged out. */
export const parallelRefreshes: Attack = async (t, target) => {
  const size = target.sizes.parallel / 2
  const asked = await askForCode(target)
  const loginToken = await enterCode(asked)
  let tabs = await atOnce(size, async (n) => tab(target, asked.browser, n))
  for (const step of [1, 2]) {
    const answers = await Promise.all(tabs.map((one) => one.refresh()))
    t.same(tally(answers), { 200: size })
    t.equal((await sessionOf(target, loginToken)).seq, step, 'the token was rotated once')
    t.same(tally(await Promise.all(answers.map(({ body }, n) => visitor(target, n).get('/me', body.access_token)))), { 200: size })

    // The cookie that each tab received still works, at another server, during the grace period and after it.
    tabs = await atOnce(size, async (n) => tab(target, tabs[n]!, n + 1))
    t.same(tally(await Promise.all(tabs.map((one) => one.refresh()))), { 200: size })
    t.equal((await sessionOf(target, loginToken)).seq, step)
    await target.advance(31)
  }
  t.match(await asked.browser.refresh(), { status: 401 }, 'the first token was rotated twice, so it counts as reused')
  t.match(await tabs[0]!.refresh(), { status: 401 })
}

/** A logout wins against refreshes in flight: no token that they returned works afterwards. */
export const logoutRacingRefresh: Attack = async (t, target) => {
  const { rounds } = target.sizes
  const logins = await askForCodes(target, Array.from({ length: rounds }, freshAddress))
  const tokens: string[] = []
  const cookies: Browser[] = []
  let refreshed = 0
  await withConcurrency(rounds, 10, async (round) => {
    const asked = logins[round]!
    tokens.push(await enterCode(asked))
    const tabs = await atOnce(4, async (n) => tab(target, asked.browser, n + round))
    // In each round the logout has another position among the refreshes.
    const requests = tabs.map((one) => one.refresh)
    requests.splice(round % 5, 0, asked.browser.logout)
    const answers = await Promise.all(requests.map((send) => send()))
    expect200(answers[round % 5]!)
    const given = answers.flatMap(({ body }) => body.access_token ?? [])
    refreshed += given.length
    tokens.push(...given)
    cookies.push(...tabs)
  })
  t.comment(`${refreshed} refreshes were faster than the logout`)
  const used = await Promise.all(tokens.map((token, n) => visitor(target, n).get('/me', token)))
  t.same(tally(used), { '401 OTP_AUTH_INVALID_TOKEN': tokens.length })
  t.same(tally(await Promise.all(cookies.map((one) => one.refresh()))), { '401 OTP_AUTH_INVALID_REFRESH_TOKEN': 4 * rounds })
}

/** After a logout at one server, every other server refuses the access token at once. */
export const logoutElsewhere: Attack = async (t, target) => {
  const asked = await askForCode(target)
  const token = await enterCode(asked)
  const everywhere = () => atOnce(4, (n) => visitor(target, n).get('/me', token))
  t.same(tally(await everywhere()), { 200: 4 })
  expect200(await tab(target, asked.browser, 1).logout())
  t.same(tally(await everywhere()), { '401 OTP_AUTH_INVALID_TOKEN': 4 })
}

/**
 * Many parallel first logins with one email, each with its own code, create one user, and every session works. It tries five
 * emails, because a race does not show every time. Needs {@link manyCodes}.
 */
export const firstLogins: Attack = async (t, target) => {
  const size = target.sizes.parallel / 2
  for (let round = 0; round < 5; round++) {
    const email = freshAddress()
    const asked = await askForCodes(target, Array<string>(size).fill(email))
    const answers = await Promise.all(asked.map(({ browser, code }) => browser.verifyOtp(email, code)))
    t.same(tally(answers), { 200: size }, 'every login works')
    t.equal(await target.store.countUsers(email), 1, 'one user')
    const known = await Promise.all(answers.map(({ body }, n) => visitor(target, n).get('/me', body.access_token)))
    t.same(tally(known), { 200: size }, 'every session works')
    t.equal(new Set(known.map(({ body }) => body.id)).size, 1)
    t.same(tally(await Promise.all(asked.map(({ browser }) => browser.refresh()))), { 200: size }, 'every session can be refreshed')
  }
}

/** Options that allow a hundred valid codes for one email at the same time. */
export const manyCodes = { otpRateLimitSeconds: 0, otpLength: 8, sendLimits: { perHour: 100, perDay: 100 } }
