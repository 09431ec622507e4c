import t, { type Test } from 'tap'
import { START } from '../helpers/app.ts'
import { askForCode, askForCodes, enterCode, freshAddress, wrongCodes } from '../helpers/attacks/attack.ts'
import type { Answer, Browser } from '../helpers/browser.ts'
import { sqliteFile, startCluster, type Cluster } from '../helpers/cluster.ts'
import { freshDatabase, skipWithoutServer } from '../helpers/databases.ts'
import { toldToStop } from '../helpers/stops.ts'
import type { StoreSpec } from '../helpers/stores.ts'
import { visitor, type Target } from '../helpers/target.ts'

/** A user at the point at which the server dies. */
interface Person {
  email: string
  browser: Browser
  /** A valid code that was sent before. */
  code?: string
  /** The access token of an earlier session. */
  token?: string
}

/** One request of a login. */
interface Act {
  prepare: (cluster: Cluster) => Promise<Person>
  act: (person: Person, browser: Browser) => Promise<Answer>
  /** What it uses up: the earlier code, or the earlier session. */
  uses?: 'code' | 'session'
}

async function loggedIn (cluster: Cluster): Promise<Person & { token: string }> {
  const { code, ...asked } = await askForCode(cluster)
  return { ...asked, token: await enterCode({ ...asked, code }) }
}

async function loggedInWithNewCode (cluster: Cluster): Promise<Person> {
  const person = await loggedIn(cluster)
  await cluster.advance(1)
  await person.browser.requestOtp(person.email)
  return { ...person, code: (await cluster.emails()).findLast(({ email }) => email === person.email)!.code }
}

const enter = ({ email, code }: Person, browser: Browser) => browser.verifyOtp(email, code!)

const acts: Record<string, Act> = {
  'ask for a code': {
    prepare: async (cluster) => ({ email: freshAddress(), browser: visitor(cluster) }),
    act: ({ email }, browser) => browser.requestOtp(email)
  },
  'ask for another code': {
    prepare: async (cluster) => {
      const asked = await askForCode(cluster)
      await cluster.advance(1)
      return asked
    },
    act: ({ email }, browser) => browser.requestOtp(email)
  },
  'enter the first code': { prepare: askForCode, act: enter, uses: 'code' },
  'enter a code in a browser with a session': { prepare: loggedInWithNewCode, act: enter, uses: 'code' },
  'enter a code in another browser': {
    prepare: askForCode,
    act: (person, browser) => {
      browser.cookies.clear()
      return enter(person, browser)
    },
    uses: 'code'
  },
  'enter a wrong code': { prepare: askForCode, act: ({ email, code }, browser) => browser.verifyOtp(email, wrongCodes(1, code!)[0]!) },
  'open a guarded page': { prepare: loggedIn, act: ({ token }, browser) => browser.get('/me', token!) },
  refresh: { prepare: loggedIn, act: (_person, browser) => browser.refresh() },
  'log out': { prepare: loggedIn, act: (_person, browser) => browser.logout(), uses: 'session' }
}

interface Point {
  name: string
  /** The storage call that was not made any more, and the calls that were. */
  before: string
  done: string[]
  person: Person
}

/** Stops one request before each storage call of each act, and one before its response. Each has its own user. */
async function stopAtEveryPoint (t: Test, cluster: Cluster): Promise<{ points: Point[], cutOff: Array<Promise<unknown>> }> {
  const points: Point[] = []
  const cutOff: Array<Promise<unknown>> = []
  await Promise.all(Object.entries(acts).map(async ([name, { prepare, act }]) => {
    const done: string[] = []
    do {
      const person = await prepare(cluster)
      const id = person.email
      const stopped = cluster.stopped(id)
      const going = act(person, person.browser.at(toldToStop(cluster.server(0), id, done.length + 1)))
      cutOff.push(t.rejects(going, `${name}: no response`))
      const before = await stopped
      points.push({ name, before, done: [...done], person })
      done.push(before)
    } while (done.at(-1) !== 'the response')
  }))
  return { points, cutOff }
}

/** Checks on the living server what a user has whose request was cut off. */
async function checkAfterCrash (t: Test, target: Target, { name, before, done, person }: Point): Promise<void> {
  const { email, browser, code, token } = person
  const label = `${name}, killed before ${before}`
  const { storage } = target.store
  const { uses } = acts[name]!
  const at = () => browser.at(target.server(0))
  const isResponseLost = before === 'the response'

  const user = await storage.findUser(email)
  const sessions = user === null ? [] : await storage.listSessions({ userId: user.id, now: START })
  const held = token === undefined || (isResponseLost && uses !== undefined) ? 0 : 1
  // A session whose tokens were never sent lets nobody in. It ends by itself, or with the other sessions of its user.
  const undelivered = done.includes('insertSession') ? 1 : 0
  t.equal(sessions.length, held + undelivered, `${label}: sessions`)
  t.equal(user?.isVerified, token !== undefined || done.includes('verifyUser') ? true : done.includes('insertUser') ? false : undefined, `${label}: user`)

  if (token !== undefined) t.equal((await at().get('/me', token)).status, held === 1 ? 200 : 401, `${label}: the earlier session`)
  if (name === 'refresh') t.equal((await at().refresh()).status, 200, `${label}: the user stays logged in`)
  if (uses === 'session') {
    t.equal((await at().logout()).status, 200)
    t.equal((await at().get('/me', token)).status, 401, `${label}: the second logout works`)
  }

  const isUsed = uses === 'code' && (done.includes('tryCode') || done.includes('consumeCode'))
  const sentCodes = (await target.emails()).filter((sent) => sent.email === email).map(({ code }) => code)
  const isOpen = code !== undefined || sentCodes.length > (token === undefined ? 0 : 1)
  let opened = 0
  for (const one of sentCodes) {
    for (const entering of [at(), visitor(target), at()]) opened += (await entering.verifyOtp(email, one)).status === 200 ? 1 : 0
  }
  t.equal(opened, isOpen && !isUsed ? 1 : 0, `${label}: the code works at most once, and once if it was not used`)
}

async function killAtEveryPoint (t: Test, store: StoreSpec): Promise<void> {
  const cluster = await startCluster(t, 2, { store, options: { otpRateLimitSeconds: 1 } })
  const living: Cluster = { ...cluster, server: () => cluster.server(1) }
  const { points, cutOff } = await stopAtEveryPoint(t, { ...cluster, server: () => cluster.server(0) })
  await cluster.crash(0)
  await Promise.all(cutOff)

  const firstLogin = points.filter(({ name }) => name === 'enter the first code').map(({ before }) => before)
  t.same(firstLogin, [
    'tryCode', 'resetConsecutiveFailures', 'findUser', 'insertUser', 'revokeUserSessions', 'verifyUser', 'insertSession', 'the response'
  ], 'the server was killed at each of these points, in this order')
  await Promise.all(points.map((point) => checkAfterCrash(t, living, point)))

  await cluster.advance(1)
  const again = await askForCodes(living, points.map(({ person }) => person.email))
  const tokens = await Promise.all(again.map(enterCode))
  for (const [n, { name, before, person: { email } }] of points.entries()) {
    const label = `${name}, killed before ${before}: a new code works`
    t.match(await visitor(living).get('/me', tokens[n]), { status: 200, body: { email, isVerified: true } }, label)
    t.equal(await cluster.store.countUsers(email), 1)
  }
}

t.test('if a server is killed before any storage call or before the response, no code works twice and a new code works: SQLite', async (t) => {
  await killAtEveryPoint(t, await sqliteFile(t))
})

t.test('if a server is killed before any storage call or before the response, no code works twice and a new code works: PostgreSQL', { skip: skipWithoutServer('pg') }, async (t) => {
  await killAtEveryPoint(t, await freshDatabase(t, 'pg'))
})
