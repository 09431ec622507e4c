import { visitor } from '../target.ts'
import {
  askForCode, askForCodes, atOnce, enterCode, failuresOf, freshAddress, withConcurrency, readToken, tally, wrongCodes, type Attack
} from './attack.ts'

const OPENED = '200'
const WRONG = '401 OTP_AUTH_INVALID_CODE'
const NONE_LEFT = '429 OTP_AUTH_TOO_MANY_ATTEMPTS'

/** Of many parallel wrong attempts on one challenge, five are compared. Then even the right code is refused. */
export const wrongAttempts: Attack = async (t, target) => {
  const { parallel } = target.sizes
  const { browser, email, id, code } = await askForCode(target)
  const wrong = wrongCodes(parallel, code)
  const answers = await atOnce(parallel, (n) => visitor(target, n).verifyOtp(email, wrong[n]!, { request_id: id }))
  t.same(tally(answers), { [WRONG]: 5, [NONE_LEFT]: parallel - 5 }, 'five were compared')
  const remaining = answers.filter(({ status }) => status === 401).map(({ body }) => body.attemptsRemaining)
  t.same(remaining.sort(), [0, 1, 2, 3, 4], 'each of the five counted as one attempt')
  t.match(await failuresOf(target, email), { longCount: 5, consecutiveFailures: 5 }, 'five were counted')

  t.match(await browser.verifyOtp(email, code), { status: 429, body: { code: 'OTP_AUTH_TOO_MANY_ATTEMPTS' } }, 'the right code with the request ID')
  t.match(await visitor(target).verifyOtp(email, code), { status: 401 }, 'the right code without the request ID')
}

/** Many wrong attempts in parallel with the right one, repeated. There is never a sixth comparison or a second login. */
export const oneRightAmongWrong: Attack = async (t, target) => {
  const { parallel, rounds } = target.sizes
  const asked = await askForCodes(target, Array.from({ length: rounds }, freshAddress))
  const outcomes: string[] = []
  await withConcurrency(rounds, 4, async (round) => {
    const { email, id, code } = asked[round]!
    // The right code is sometimes among the first few, and sometimes far behind.
    const guesses = wrongCodes(parallel - 1, code).toSpliced(round % 2 === 0 ? round % 5 : round, 0, code)
    const answers = await atOnce(parallel, (n) => visitor(target, n).verifyOtp(email, guesses[n]!, { request_id: id }))
    const { [OPENED]: logins = 0 } = tally(answers)
    const compared = logins + answers.filter(({ body }) => body.attemptsRemaining !== undefined).length
    const failures = (await failuresOf(target, email))?.longCount ?? 0
    const users = await target.store.countUsers(email)
    outcomes.push(`${logins} login of ${users} user, ${compared <= 5 ? 'at most' : 'more than'} 5 compared, ` +
      `${failures === compared - logins ? 'all' : 'not all'} failures counted`)
    if (logins === 0 && compared !== 5) t.fail(`nobody logged in, but ${compared} attempts were compared`)
  })
  const fine = ['0 login of 0 user', '1 login of 1 user'].map((login) => `${login}, at most 5 compared, all failures counted`)
  t.same(outcomes.filter((outcome) => !fine.includes(outcome)), [], 'every round ended as expected')
  t.equal(outcomes.length, rounds, 'rounds')
}

/** A code that is entered many times in parallel opens one session. It tries five codes, because a race does not show every time. */
export const rightAttempts: Attack = async (t, target) => {
  const { parallel } = target.sizes
  for (const { email, id, code } of await askForCodes(target, Array.from({ length: 5 }, freshAddress))) {
    const answers = await atOnce(parallel, (n) => visitor(target, n).verifyOtp(email, code, { request_id: id }))
    t.same(tally(answers), { [OPENED]: 1, [WRONG]: parallel - 1 })
    const { userId } = readToken(answers.find(({ status }) => status === 200)!.body.access_token)
    t.equal(await target.store.countSessions(userId), 1, 'one session row')
    t.equal(await failuresOf(target, email), null, 'a double click does not count as a failure')
  }
}

/** The same without the request ID: five attempts are compared, and one logs in. */
export const rightUnboundAttempts: Attack = async (t, target) => {
  const { parallel } = target.sizes
  const { email, code } = await askForCode(target)
  const answers = await atOnce(parallel, (n) => visitor(target, n).verifyOtp(email, code))
  t.same(tally(answers), { [OPENED]: 1, [WRONG]: parallel - 1 })
  const { userId } = readToken(answers.find(({ status }) => status === 200)!.body.access_token)
  t.equal(await target.store.countSessions(userId), 1, 'one session row')
}

/** An attacker who knows only the email cannot stop the login in the owner's browser, however many requests come from anywhere. */
export const attackerWithEmail: Attack = async (t, target) => {
  const half = target.sizes.parallel / 2
  const owner = await askForCode(target)
  const { email } = owner
  await target.advance(60)
  const first = await askForCode(target, email)
  await target.advance(60)
  const second = await askForCode(target, email)
  const wrong = wrongCodes(3 * half, owner.code, first.code, second.code)

  const unbound = atOnce(half, (n) => visitor(target, n).verifyOtp(email, wrong[n]!))
  const bound = atOnce(half, (n) => visitor(target, n).verifyOtp(email, wrong[half + n]!, { request_id: (n % 2 ? first : second).id }))
  const requests = atOnce(half / 2, (n) => visitor(target, n).requestOtp(email))
  const login = enterCode(owner)
  const planted = atOnce(half, (n) => visitor(target, n).verifyOtp(email, wrong[2 * half + n]!, { request_id: 'A'.repeat(22) }))

  t.match(await owner.browser.get('/me', await login), { status: 200, body: { email } }, 'the owner is logged in')
  t.same(tally(await unbound), { [WRONG]: half })
  t.same(tally(await bound), { [WRONG]: 10, [NONE_LEFT]: half - 10 })
  t.same(tally(await requests), { '429 OTP_AUTH_TOO_MANY_REQUESTS': half / 2 })
  t.same(tally(await planted), { [WRONG]: half })
  const told = [...await unbound, ...await planted].filter(({ body }) => body.attemptsRemaining !== undefined)
  t.same(told, [], 'without a request ID of its own requests, the attacker learns nothing')
  t.match(await failuresOf(target, email), { longCount: 15 }, '5 attempts on each of two challenges, and 5 without a request ID')
}
