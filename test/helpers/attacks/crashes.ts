import type { Test } from 'tap'
import type { Answer } from '../browser.ts'
import type { Cluster } from '../cluster.ts'
import { toldToStop } from '../stops.ts'
import { visitor } from '../target.ts'
import { askForCode, askForCodes, atOnce, enterCode, freshAddress, withConcurrency, readToken, tally, type Asked } from './attack.ts'

/** The cluster without the servers that are dead or will be killed. */
function only (cluster: Cluster, servers: readonly number[]): Cluster {
  return { ...cluster, server: (position) => cluster.server(servers[position % servers.length]!) }
}

/** A server dies after it used up a code and before it created the session. The code works nowhere, and a new one works. */
export async function crashInLogin (t: Test, cluster: Cluster, victim: number, living: readonly number[]): Promise<void> {
  const others = only(cluster, living)
  const { email, id, code } = await askForCode(others)
  const stopped = cluster.stopped('login')
  const stopping = visitor({ ...cluster, server: () => toldToStop(cluster.server(victim), 'login', 'insertSession') })
  const cutOff = t.rejects(stopping.verifyOtp(email, code, { request_id: id }), 'there is no response')
  await Promise.race([stopped, cutOff])
  await cluster.crash(victim)
  await cutOff

  for (const extra of [{ request_id: id }, {}]) {
    t.match(await visitor(others).verifyOtp(email, code, extra), { status: 401 }, 'the code is used up')
  }
  await cluster.advance(60)
  const token = await enterCode(await askForCode(others, email))
  t.match(await visitor(others).get('/me', token), { status: 200, body: { email } }, 'a new code works')
  t.equal(await cluster.store.countSessions(readToken(token).userId), 1, 'only the new login has a session')
}

/** Forty users enter their codes, each at all servers in parallel, and one server dies. The others go on, and no code works twice. */
export async function crashInTraffic (t: Test, cluster: Cluster, victim: number, living: readonly number[]): Promise<void> {
  const others = only(cluster, living)
  const people = await askForCodes(others, Array.from({ length: 40 }, freshAddress))
  let answered = 0
  let crash: Promise<void> | undefined

  async function enter ({ email, id, code }: Asked, server: number): Promise<Answer | 'cut off'> {
    try {
      const answer = await visitor(cluster, server).verifyOtp(email, code, { request_id: id })
      if (++answered === 10) crash = cluster.crash(victim)
      return answer
    } catch (error) {
      if (server !== victim) throw error
      return 'cut off'
    }
  }

  // Only a few at a time, so that most of them come after the tenth response.
  const entered: Array<Array<Answer | 'cut off'>> = []
  await withConcurrency(people.length, 8, async (n) => {
    entered[n] = await Promise.all([victim, ...living].map((server) => enter(people[n]!, server)))
  })
  await crash
  t.not(entered.flat().filter((answer) => answer === 'cut off').length, 0, 'some requests were cut off by the crash')

  const late = await Promise.all(people.map(({ email, id, code }) => visitor(others).verifyOtp(email, code, { request_id: id })))
  await cluster.advance(60)
  const tokens = await Promise.all((await askForCodes(others, people.map(({ email }) => email))).map(enterCode))
  t.same(tally(await atOnce(40, (n) => visitor(others).get('/me', tokens[n]!))), { 200: 40 }, 'every user can log in with a new code')
  for (const [n, token] of tokens.entries()) {
    const answers = [...entered[n]!, late[n]!].filter((answer) => answer !== 'cut off')
    const { 200: opened = 0, ...refused } = tally(answers)
    const sessions = await cluster.store.countSessions(readToken(token).userId) - 1
    if (opened > sessions || sessions > 1) t.fail(`one code opened ${opened} times and made ${sessions} sessions`)
    if (Object.keys(refused).some((kind) => kind !== '401 OTP_AUTH_INVALID_CODE')) t.fail('there was another kind of response', { refused })
  }
}
