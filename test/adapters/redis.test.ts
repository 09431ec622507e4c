import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { OtpAuthOptions, RateLimitOptions } from '../../src/index.ts'
import { buildApp } from '../helpers/app.ts'
import type { Answer } from '../helpers/browser.ts'
import { cutProxy } from '../helpers/cut-proxy.ts'
import { failsClosed } from '../helpers/ip-limits.ts'
import { skipWithout } from '../helpers/requirements.ts'

const ANNA = 'anna@example.com'
const URL_OF_REDIS = process.env['TEST_REDIS_URL']

t.test('IP rate limits on Redis', { skip: skipWithout('TEST_REDIS_URL') }, async (t) => {
  /** A client of the application, as the README recommends. */
  function connect (t: Test, url = URL_OF_REDIS!): Redis {
    const redis = new Redis(url, { maxRetriesPerRequest: 1, commandTimeout: 500 })
    redis.on('error', () => {})
    t.teardown(() => { redis.disconnect() })
    return redis
  }
  const build = (t: Test, name: string, limits: RateLimitOptions, more: Partial<OtpAuthOptions> = {}) =>
    buildApp(t, { name, rateLimit: limits, ...more })
  const freshName = () => randomUUID().slice(0, 8)

  await t.test('all processes share one limit, which is exact for parallel requests', async (t) => {
    const name = freshName()
    const redis = connect(t)
    t.teardown(async () => { await redis.del(await redis.keys(`*${name}*`)) })
    const logout = { max: 20 }
    const browsers = [
      (await build(t, name, { redis, logout })).browser(),
      (await build(t, name, { redis: connect(t), logout })).browser(),
    ]
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => browsers[n % 2]!.logout()))
    t.equal(answers.filter(({ status }) => status === 200).length, 20)
    const refused = answers.filter(({ status }) => status === 429)
    t.equal(refused.length, 40)
    t.ok(refused.every(({ body, headers }) => headers['retry-after'] === String(body.retryAfter) && body.retryAfter <= 600 && body.retryAfter > 500))
    t.equal((await browsers[0]!.refresh()).status, 401, 'another route has its own count')
    const namesake = await build(t, `${name}2`, { redis, logout })
    t.equal((await namesake.browser().logout()).status, 200, 'another instance has its own count')
    t.strictSame((await redis.keys(`*${name}*`)).sort(), [
      `fastify-rate-limit-${name}2:logout:192.0.2.1`, `fastify-rate-limit-${name}:logout:192.0.2.1`, `fastify-rate-limit-${name}:refresh:192.0.2.1`
    ].sort())
    const left = await redis.pttl(`fastify-rate-limit-${name}:logout:192.0.2.1`)
    t.ok(left > 500_000 && left <= 600_000, 'the count ends with its window')
  })

  await t.test('a Redis command of the application that has the name of a command of @fastify/rate-limit is not used, and keeps working', async (t) => {
    const name = freshName()
    const redis = connect(t)
    t.teardown(async () => { await redis.del(await redis.keys(`*${name}*`)) })
    for (const command of ['rateLimit', 'rateLimitRead']) redis.defineCommand(command, { numberOfKeys: 1, lua: 'return 1' })
    const { browser } = await build(t, name, { redis, logout: { max: 2 } })
    const seen: number[] = []
    for (let n = 0; n < 3; n++) seen.push((await browser().logout()).status)
    t.strictSame(seen, [200, 200, 429])
    t.equal(await (redis as never as { rateLimit (key: string): Promise<number> }).rateLimit('key'), 1, 'the command of the application still works')
  })

  await t.test('if Redis stops or hangs, the response is 503; everything works again once Redis is back', async (t) => {
    const name = freshName()
    const direct = connect(t)
    t.teardown(async () => { await direct.del(await direct.keys(`*${name}*`)) })
    const { hostname, port } = new URL(URL_OF_REDIS!)
    const proxy = await cutProxy(t, hostname, Number(port || 6379))
    const { browser, codeFor } = await build(t, name, { redis: connect(t, `redis://127.0.0.1:${proxy.port}`) })
    const anna = browser()
    const token = await anna.login(ANNA, codeFor)

    proxy.hang()
    await failsClosed(t, anna, token, 'Redis hangs')
    await proxy.restore()
    await proxy.cut()
    await failsClosed(t, anna, token, 'Redis has stopped')
    await proxy.restore()
    let answer: Answer
    do answer = await anna.logout()
    while (answer.status === 503)
    t.equal(answer.status, 200)
  })
})
