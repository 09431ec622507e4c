import { visitor } from '../target.ts'
import {
  askForCode, askForCodes, atOnce, enterCode, failuresOf, freshAddress, inTurns, readToken, tally, wrongCodes, type Attack
} from './attack.ts'

const OPENED = '200'
const WRONG = '401 OTP_AUTH_INVALID_CODE'
const SPENT = '429 OTP_AUTH_TOO_MANY_ATTEMPTS'

/** Of many wrong guesses at one request, all at once, five are compared; then even the right code is refused. */
export const wrongGuesses: Attack = async (t, target) => {
  const { parallel } = target.sizes
  const { browser, email, id, code } = await askForCode(target)
  const wrong = wrongCodes(parallel, code)
  const answers = await atOnce(parallel, (n) => visitor(target, n).verifyOtp(email, wrong[n]!, { request_id: id }))
  t.same(tally(answers), { [WRONG]: 5, [SPENT]: parallel - 5 }, 'five were compared')
  const remaining = answers.filter(({ status }) => status === 401).map(({ body }) => body.attemptsRemaining)
  t.same(remaining.sort(), [0, 1, 2, 3, 4], 'each of the five took a try of its own')
  t.match(await failuresOf(target, email), { longCount: 5, consecutiveFailures: 5 }, 'five were counted')

  t.match(await browser.verifyOtp(email, code), { status: 429, body: { code: 'OTP_AUTH_TOO_MANY_ATTEMPTS' } }, 'the right code, bound')
  t.match(await visitor(target).verifyOtp(email, code), { status: 401 }, 'the right code, unbound')
}

/** Many wrong guesses and the right one, again and again: never a sixth comparison, never a second login. */
export const oneRightAmongWrong: Attack = async (t, target) => {
  const { parallel, rounds } = target.sizes
  const asked = await askForCodes(target, Array.from({ length: rounds }, freshAddress))
  const outcomes: string[] = []
  await inTurns(rounds, 4, async (round) => {
    const { email, id, code } = asked[round]!
    // The right one among the first few, or far behind: both must happen.
    const guesses = wrongCodes(parallel - 1, code).toSpliced(round % 2 === 0 ? round % 5 : round, 0, code)
    const answers = await atOnce(parallel, (n) => visitor(target, n).verifyOtp(email, guesses[n]!, { request_id: id }))
    const { [OPENED]: logins = 0 } = tally(answers)
    const compared = logins + answers.filter(({ body }) => body.attemptsRemaining !== undefined).length
    const failures = (await failuresOf(target, email))?.longCount ?? 0
    const users = await target.store.countUsers(email)
    outcomes.push(`${logins} login of ${users} user, ${compared <= 5 ? 'at most' : 'more than'} 5 compared, ` +
      `${failures === compared - logins ? 'all' : 'not all'} failures counted`)
    if (logins === 0 && compared !== 5) t.fail(`no login, yet ${compared} compared`)
  })
  const fine = ['0 login of 0 user', '1 login of 1 user'].map((login) => `${login}, at most 5 compared, all failures counted`)
  t.same(outcomes.filter((outcome) => !fine.includes(outcome)), [], 'no round ended otherwise')
  t.equal(outcomes.length, rounds, 'rounds')
}

/** One code entered many times at once opens one session; five codes, for a race is not lost every time. */
export const rightGuesses: Attack = async (t, target) => {
  const { parallel } = target.sizes
  for (const { email, id, code } of await askForCodes(target, Array.from({ length: 5 }, freshAddress))) {
    const answers = await atOnce(parallel, (n) => visitor(target, n).verifyOtp(email, code, { request_id: id }))
    t.same(tally(answers), { [OPENED]: 1, [WRONG]: parallel - 1 })
    const { userId } = readToken(answers.find(({ status }) => status === 200)!.body.access_token)
    t.equal(await target.store.countSessions(userId), 1, 'one session row')
    t.equal(await failuresOf(target, email), null, 'a double click is no failure')
  }
}

/** The same without the id: five are compared, one opens. */
export const rightUnboundGuesses: Attack = async (t, target) => {
  const { parallel } = target.sizes
  const { email, code } = await askForCode(target)
  const answers = await atOnce(parallel, (n) => visitor(target, n).verifyOtp(email, code))
  t.same(tally(answers), { [OPENED]: 1, [WRONG]: parallel - 1 })
  const { userId } = readToken(answers.find(({ status }) => status === 200)!.body.access_token)
  t.equal(await target.store.countSessions(userId), 1, 'one session row')
}

/** Who knows only the address can spoil nothing that the owner's browser holds, however much he sends and from wherever. */
export const strangerAtTheDoor: Attack = async (t, target) => {
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

  t.match(await owner.browser.get('/me', await login), { status: 200, body: { email } }, 'the owner is in')
  t.same(tally(await unbound), { [WRONG]: half })
  t.same(tally(await bound), { [WRONG]: 10, [SPENT]: half - 10 })
  t.same(tally(await requests), { '429 OTP_AUTH_TOO_MANY_REQUESTS': half / 2 })
  t.same(tally(await planted), { [WRONG]: half })
  const told = [...await unbound, ...await planted].filter(({ body }) => body.attemptsRemaining !== undefined)
  t.same(told, [], 'without an id that he was given he learns nothing')
  t.match(await failuresOf(target, email), { longCount: 15 }, '5 tries of each of his requests, 5 unbound ones')
}
