import t from 'tap'
import { askForCodes, atOnce, freshAddress, tally, wrongCodes } from '../helpers/attacks/attack.ts'
import { skipWithoutServer, urlVariable, type ServerKind } from '../helpers/databases.ts'
import { behindProxy, expectNothing, expectRecovery, GONE, logIn, startTraffic } from '../helpers/outage.ts'
import { visitor } from '../helpers/target.ts'

const OVER = '401 OTP_AUTH_INVALID_TOKEN'

for (const kind of Object.keys(urlVariable) as ServerKind[]) {
  t.test(`${kind}: if the database server stops during traffic, nobody is let in, and it is used again once it is back`, { skip: skipWithoutServer(kind) }, async (t) => {
    const { cluster, proxy } = await behindProxy(t, kind)
    const logins = await logIn(cluster, 10)
    const ended = await logIn(cluster, 4)
    for (const { browser } of ended) await browser.logout()
    const asked = await askForCodes(cluster, Array.from({ length: 6 }, freshAddress))
    const [guessed] = asked
    for (const wrong of wrongCodes(3, guessed!.code)) await guessed!.browser.verifyOtp(guessed!.email, wrong)

    const traffic = startTraffic(cluster, 8)
    await traffic.more('completed', 8)
    await proxy.cut()
    await traffic.more('failed', 16)
    const { completed } = traffic.rounds
    const cookies = logins.map(({ browser }) => new Map(browser.cookies))
    await expectNothing(t, cluster, { logins, ended, asked })
    t.equal(traffic.rounds.completed, completed, 'no login was completed')
    await proxy.restore()
    await traffic.more('completed', 8)
    const { kinds, interrupted } = await traffic.stop()
    t.same(kinds, ['200', OVER, GONE], 'there was no other kind of response')

    // Nothing reached the database, so everything is as before: logouts and attempts that got a 503 had no effect.
    t.same(tally(await atOnce(10, (n) => visitor(cluster, n).get('/me', logins[n]!.token))), { 200: 10 }, 'live sessions still work')
    t.same(tally(await atOnce(4, (n) => visitor(cluster, n).get('/me', ended[n]!.token))), { [OVER]: 4 }, 'ended sessions stay ended')
    t.same(logins.map(({ browser }) => browser.cookies), cookies, 'a 503 keeps the cookies')
    t.same(tally(await Promise.all(logins.map(({ browser }) => browser.refresh()))), { 200: 10 }, 'refresh tokens still work')
    const left: unknown[] = []
    for (const wrong of wrongCodes(2, guessed!.code)) {
      left.push((await guessed!.browser.verifyOtp(guessed!.email, wrong)).body.attemptsRemaining)
    }
    t.same(left, [1, 0], 'three attempts before the outage leave two')
    const entered = await Promise.all(asked.map(({ browser, email, code }) => browser.verifyOtp(email, code)))
    t.same(tally(entered), { 200: 5, '429 OTP_AUTH_TOO_MANY_ATTEMPTS': 1 }, 'codes still work')
    await expectRecovery(t, cluster, interrupted)
  })

  t.test(`${kind}: if the database server hangs, every response is 503 in bounded time`, { skip: skipWithoutServer(kind), timeout: 60_000 }, async (t) => {
    const { cluster, proxy } = await behindProxy(t, kind)
    const logins = await logIn(cluster, 4)
    const ended = await logIn(cluster, 2)
    for (const { browser } of ended) await browser.logout()
    const asked = await askForCodes(cluster, Array.from({ length: 4 }, freshAddress))

    // The proxy is restored after all responses. Without a time limit of ours, no response would ever come.
    proxy.hang()
    await expectNothing(t, cluster, { logins, ended, asked })
    await proxy.restore()

    const traffic = startTraffic(cluster, 4)
    await traffic.more('completed', 4)
    const { kinds } = await traffic.stop()
    t.same(kinds.filter((one) => one !== GONE), ['200', OVER])
    t.same(tally(await atOnce(2, (n) => visitor(cluster, n).get('/me', ended[n]!.token))), { [OVER]: 2 })
    // Statements that were already sent can take effect late: a logout, an attempt, a code whose session nobody received.
    await expectRecovery(t, cluster, asked)
  })
}
