import { visitor, type Target } from '../target.ts'
import { Browser } from '../browser.ts'
import { atOnce, freshAddress, sendsTo, tally, type Attack } from './attack.ts'

const REFUSED = '429 OTP_AUTH_TOO_MANY_REQUESTS'

async function emailsTo (target: Target, email: string): Promise<number> {
  return (await target.emails()).filter((sent) => sent.email === email).length
}

/** Many parallel requests send one email. The next email goes out when the cooldown has ended, and not a second earlier. */
export const emailBomb: Attack = async (t, target) => {
  const email = freshAddress()
  const size = target.sizes.parallel / 2
  const bomb = () => atOnce(size, (n) => visitor(target, n).requestOtp(email))
  const first = await bomb()
  t.same(tally(first), { 200: 1, [REFUSED]: size - 1 })
  const refused = first.filter(({ status }) => status === 429)
  t.same([...new Set(refused.map(({ headers, body }) => `${headers['retry-after']} ${body.retryAfter}`))], ['60 60'])
  t.equal(await emailsTo(target, email), 1)

  await target.advance(59)
  const early = await bomb()
  t.same(tally(early), { [REFUSED]: size })
  t.same([...new Set(early.map(({ headers }) => headers['retry-after']))], ['1'])
  t.equal(await emailsTo(target, email), 1)

  await target.advance(1)
  t.same(tally(await bomb()), { 200: 1, [REFUSED]: size - 1 })
  t.equal(await emailsTo(target, email), 2)
  t.match(await sendsTo(target, email), { shortCount: 2, longCount: 2 }, 'refused requests were not counted')
}

/** Six requests of an impatient owner count as one email of the mailbox and one of the three of the network, not as six. */
export const impatientOwner: Attack = async (t, target) => {
  const email = freshAddress()
  const { ip } = visitor(target)
  for (const sent of [1, 2, 3]) {
    const clicks = await atOnce(6, (n) => new Browser(target.server(n), ip).requestOtp(email))
    t.same(tally(clicks), { 200: 1, [REFUSED]: 5 })
    t.equal(await emailsTo(target, email), sent)
    t.match(await sendsTo(target, email), { shortCount: sent, longCount: sent })
    await target.advance(60)
  }
}
