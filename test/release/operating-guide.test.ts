import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { buildApp, wrongCode } from '../helpers/app.ts'
import { blocksIn } from '../helpers/docs.ts'
import { ownEnvironment } from '../helpers/environment.ts'
import { forget, logged } from '../helpers/log.ts'

const ANNA = 'anna@example.com'

/** Runs the program from docs/operating.md. @returns what it prints, by name */
async function keysOf (t: Test, ...input: string[]): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'otp-auth-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const [program] = blocksIn('js').filter(({ at }) => at.startsWith('docs/operating.md:'))
  const file = join(folder, 'counters-of.mjs')
  await writeFile(file, program!.code)
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...input], { env: ownEnvironment() })
  return Object.fromEntries([...stdout.matchAll(/(\w+): '([^']*)'/g)].map(([, name, key]) => [name, key]))
}

for (const name of ['otp_auth', 'office']) {
  t.test(`the program in docs/operating.md finds the events and counters of one address (instance ${name})`, async (t) => {
    const { browser, clock, codeFor, events, storage } = await buildApp(t, { name, sendLimits: { perDay: 1, perHour: 1 } })
    const anna = browser()
    await anna.requestOtp(ANNA)
    await anna.verifyOtp(ANNA, wrongCode(codeFor(ANNA)))

    const keys = await keysOf(t, ANNA, ...(name === 'otp_auth' ? [] : [name]))
    t.strictSame(Object.keys(keys), ['emailHash', 'failures', 'sends', 'reserve'])
    t.match(events, [{ type: 'otp.requested', emailHash: keys['emailHash'] }, { type: 'otp.failed', emailHash: keys['emailHash'] }])
    t.match(await storage.readCounter(keys['failures']!), { longCount: 1, consecutiveFailures: 1 })
    t.match(await storage.readCounter(keys['sends']!), { shortCount: 1, longCount: 1 })

    t.equal(await storage.readCounter(keys['reserve']!), null, 'nothing has used the reserve')
    clock.advance(60)
    t.equal((await browser('198.51.100.7').requestOtp(ANNA)).status, 200)
    t.match(await storage.readCounter(keys['reserve']!), { longCount: 1 })
  })
}

t.test('the IP address that reached a limit is in the log of the request, not in the event', async (t) => {
  forget()
  const { browser } = await buildApp(t, { rateLimit: { logout: { max: 1 } } })
  const stranger = browser('198.51.100.7')
  t.same([(await stranger.logout()).status, (await stranger.logout()).status], [200, 429])

  const lines = logged(/^\{/).map((line) => JSON.parse(line))
  const event = lines.find(({ msg }) => msg === 'ip-limit.reached')
  t.same(event.otpAuth, { type: 'ip-limit.reached', route: 'logout' })
  t.notMatch(JSON.stringify(event), /198\.51\.100\.7/)
  const completed = lines.slice(lines.indexOf(event)).find(({ msg, res }) => msg === 'request completed' && res.statusCode === 429)
  t.match(lines.find(({ msg, reqId }) => msg === 'incoming request' && reqId === completed.reqId), { req: { remoteAddress: '198.51.100.7' } })
})
