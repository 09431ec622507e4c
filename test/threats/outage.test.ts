import t from 'tap'
import { askForCodes, atOnce, freshAddress, tally, wrongCodes } from '../helpers/attacks/attack.ts'
import { skipWithoutServer, urlVariable, type ServerKind } from '../helpers/databases.ts'
import { behindProxy, expectNothing, expectRecovery, GONE, logIn, startTraffic } from '../helpers/outage.ts'
import { visitor } from '../helpers/target.ts'

const OVER = '401 OTP_AUTH_INVALID_TOKEN'

for (const kind of Object.keys(urlVariable) as ServerKind[]) {
  t.test(`${kind}: a server that goes in the middle of traffic lets nothing in, and is used again when it is back`, { skip: skipWithoutServer(kind) }, async (t) => {
    const { cluster, proxy } = await behindProxy(t, kind)
    const logins = await logIn(cluster, 10)
    const ended = await logIn(cluster, 4)
    for (const { browser } of ended) await browser.logout()
    const asked = await askForCodes(cluster, Array.from({ length: 6 }, freshAddress))
    const [guessed] = asked
    for (const wrong of wrongCodes(3, guessed!.code)) await guessed!.browser.verifyOtp(guessed!.email, wrong)

    const traffic = startTraffic(cluster, 8)
    await traffic.more('whole', 8)
    await proxy.cut()
    await traffic.more('broken', 16)
    const { whole } = traffic.flows
    const cookies = logins.map(({ browser }) => new Map(browser.cookies))
    await expectNothing(t, cluster, { logins, ended, asked })
    t.equal(traffic.flows.whole, whole, 'nobody came through')
    await proxy.restore()
    await traffic.more('whole', 8)
    const { kinds, interrupted } = await traffic.stop()
    t.same(kinds, ['200', OVER, GONE], 'nothing else was ever answered')

    // Nothing reached the database, so all is as it was: logouts and tries that were answered 503 did not count.
    t.same(tally(await atOnce(10, (n) => visitor(cluster, n).get('/me', logins[n]!.token))), { 200: 10 }, 'sessions live')
    t.same(tally(await atOnce(4, (n) => visitor(cluster, n).get('/me', ended[n]!.token))), { [OVER]: 4 }, 'or are over')
    t.same(logins.map(({ browser }) => browser.cookies), cookies, 'who was answered 503 keeps what he holds')
    t.same(tally(await Promise.all(logins.map(({ browser }) => browser.refresh()))), { 200: 10 }, 'refresh tokens live')
    const left: unknown[] = []
    for (const wrong of wrongCodes(2, guessed!.code)) {
      left.push((await guessed!.browser.verifyOtp(guessed!.email, wrong)).body.attemptsRemaining)
    }
    t.same(left, [1, 0], 'three tries before, two after')
    const entered = await Promise.all(asked.map(({ browser, email, code }) => browser.verifyOtp(email, code)))
    t.same(tally(entered), { 200: 5, '429 OTP_AUTH_TOO_MANY_ATTEMPTS': 1 }, 'codes live')
    await expectRecovery(t, cluster, interrupted)
  })

  t.test(`${kind}: a server that hangs is answered for in bounded time`, { skip: skipWithoutServer(kind), timeout: 60_000 }, async (t) => {
    const { cluster, proxy } = await behindProxy(t, kind)
    const logins = await logIn(cluster, 4)
    const ended = await logIn(cluster, 2)
    for (const { browser } of ended) await browser.logout()
    const asked = await askForCodes(cluster, Array.from({ length: 4 }, freshAddress))

    // Restored only after every answer: without a limit of its own none would ever come.
    proxy.hang()
    await expectNothing(t, cluster, { logins, ended, asked })
    await proxy.restore()

    const traffic = startTraffic(cluster, 4)
    await traffic.more('whole', 4)
    const { kinds } = await traffic.stop()
    t.same(kinds.filter((one) => one !== GONE), ['200', OVER])
    t.same(tally(await atOnce(2, (n) => visitor(cluster, n).get('/me', ended[n]!.token))), { [OVER]: 2 })
    // What was sent already may take effect late: a logout, a try, a code that nobody got a session for.
    await expectRecovery(t, cluster, asked)
  })
}
