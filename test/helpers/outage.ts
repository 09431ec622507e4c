import type { Test } from 'tap'
import type { Answer } from './browser.ts'
import { askForCodes, atOnce, enterCode, freshAddress, tally, wrongCodes, type Asked } from './attacks/attack.ts'
import { startCluster, type Cluster } from './cluster.ts'
import { cutProxy, type CutProxy } from './cut-proxy.ts'
import { freshDatabase, type ServerKind } from './databases.ts'
import { visitor } from './target.ts'

export const GONE = '503 OTP_AUTH_STORAGE_UNAVAILABLE'
const OVER = '401 OTP_AUTH_INVALID_TOKEN'

/** Two servers of the application behind a proxy that can cut them off from the database. An unhandled rejection would end them. */
export async function behindProxy (t: Test, kind: ServerKind): Promise<{ cluster: Cluster, proxy: CutProxy }> {
  const spec = await freshDatabase(t, kind, 2000)
  const url = new URL(spec.url)
  const proxy = await cutProxy(t, url.hostname, Number(url.port))
  url.host = `127.0.0.1:${proxy.port}`
  if (kind === 'mongodb') {
    // A replica set reports the addresses of its members, and the driver would connect to them without the proxy.
    url.searchParams.set('directConnection', 'true')
    // If a connection is lost during a write, the driver retries, as in an application with default settings.
    url.searchParams.delete('retryWrites')
  }
  return { cluster: await startCluster(t, 2, { store: { ...spec, url: url.href } }), proxy }
}

export interface LoggedIn extends Asked {
  token: string
}

export async function logIn (cluster: Cluster, amount: number): Promise<LoggedIn[]> {
  const asked = await askForCodes(cluster, Array.from({ length: amount }, freshAddress))
  return await Promise.all(asked.map(async (one) => ({ ...one, token: await enterCode(one) })))
}

/** Users who log in, open a page, refresh and log out, again and again, whatever the responses are. */
export function startTraffic (cluster: Cluster, people: number) {
  const kinds = new Set<string>()
  const interrupted: Array<{ email: string, code: string, id: string }> = []
  const rounds = { completed: 0, failed: 0 }
  const state = { isStopped: false }
  let waiting: Array<{ is: () => boolean, tell: () => void }> = []

  function noted (answer: Answer, expected = 200): boolean {
    for (const kind of Object.keys(tally([answer]))) kinds.add(kind)
    return answer.status === expected
  }
  async function loginRound (): Promise<boolean> {
    const browser = visitor(cluster)
    const email = freshAddress()
    const requested = await browser.requestOtp(email)
    if (!noted(requested)) return false
    const { code } = (await cluster.emails()).findLast((sent) => sent.email === email)!
    const verified = await browser.verifyOtp(email, code)
    if (!noted(verified)) {
      interrupted.push({ email, code, id: requested.body.request_id })
      return false
    }
    const { access_token: token } = verified.body
    return noted(await browser.get('/me', token)) && noted(await browser.refresh()) && noted(await browser.logout()) &&
      noted(await browser.get('/me', token), 401)
  }
  const all = atOnce(people, async () => {
    while (!state.isStopped) {
      rounds[await loginRound() ? 'completed' : 'failed']++
      waiting = waiting.filter(({ is, tell }) => !is() || tell())
    }
  })

  return {
    rounds,
    /** Resolves when that many more rounds have ended this way. */
    more (end: 'completed' | 'failed', amount: number): Promise<void> {
      const from = rounds[end]
      return new Promise((resolve) => waiting.push({ is: () => rounds[end] >= from + amount, tell: resolve }))
    },
    async stop () {
      state.isStopped = true
      await all
      return { kinds: [...kinds].sort(), interrupted }
    }
  }
}

/** Sends every kind of request while the database is down. Each response is a 503, and nobody is let in. */
export async function expectNothing (t: Test, cluster: Cluster, { logins, ended, asked }: {
  logins: readonly LoggedIn[]
  ended: readonly LoggedIn[]
  asked: readonly Asked[]
}): Promise<void> {
  const unlucky = Array.from({ length: 6 }, freshAddress)
  const requests: Record<string, Promise<Answer[]>> = {
    'a live session': Promise.all(logins.map(({ token }, n) => visitor(cluster, n).get('/me', token))),
    'an ended session': Promise.all(ended.map(({ token }, n) => visitor(cluster, n).get('/me', token))),
    'a refresh': Promise.all(logins.map(({ browser }) => browser.refresh())),
    'a right code': Promise.all(asked.map(({ browser, email, code }) => browser.verifyOtp(email, code))),
    'a right code in another browser': Promise.all(asked.map(({ email, code }) => visitor(cluster).verifyOtp(email, code))),
    'wrong codes': Promise.all(asked.flatMap(({ browser, email, code }) => wrongCodes(6, code).map((wrong) => browser.verifyOtp(email, wrong)))),
    'a request': Promise.all(unlucky.map((email) => visitor(cluster).requestOtp(email))),
    'a logout': Promise.all(logins.map(({ browser }) => browser.logout()))
  }
  for (const [what, answers] of Object.entries(requests)) {
    t.same(Object.keys(tally(await answers)), [GONE], what)
  }
  const mailed = (await cluster.emails()).filter(({ email }) => unlucky.includes(email))
  t.same(mailed, [], 'no email is sent without being counted')
}

/** After an outage, users can log in again, and a code that was entered when the outage began opened at most one session. */
export async function expectRecovery (t: Test, cluster: Cluster, interrupted: ReadonlyArray<{ email: string, code: string, id: string }>) {
  for (const { email, code, id } of interrupted) {
    const again = await Promise.all([0, 1, 2].map((n) => visitor(cluster, n).verifyOtp(email, code, { request_id: id })))
    const { 200: opened = 0 } = tally(again)
    const user = await cluster.store.storage.findUser(email)
    const sessions = user === null ? 0 : await cluster.store.countSessions(user.id)
    if (opened > sessions || sessions > 1) t.fail(`one code opened ${opened} times and made ${sessions} sessions`)
  }
  const { browser, token } = (await logIn(cluster, 1))[0]!
  t.match(await browser.logout(), { status: 200 })
  t.same(tally(await atOnce(2, (n) => visitor(cluster, n).get('/me', token))), { [OVER]: 2 })
}
