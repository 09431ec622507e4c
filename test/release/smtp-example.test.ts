import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { simpleParser, type ParsedMail } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import t, { type Test } from 'tap'
import { freshDist } from '../helpers/fresh-dist.ts'

// The example imports the package by its own name, which is `dist`: build first, import then.
freshDist()
const { buildExample } = await import('../../examples/shared/app.ts')
const { createMailer } = await import('../../examples/smtp/mailer.ts')
const { writeMail } = await import('../../examples/smtp/mail.ts')
const { drizzleStorage, migrations } = await import('fastify-otp-auth/drizzle/sqlite')

const EMAIL = 'ada@example.com'
const AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

interface Received {
  envelope: { from: string, to: string[] }
  mail: ParsedMail
}

/** A real SMTP server on loopback, and the example that mails by it. */
async function start (t: Test, behaviour: SMTPServerOptions = {}, otpAuth: object = {}) {
  const received: Received[] = []
  const server = new SMTPServer({
    authOptional: true,
    // Its certificate is one that nobody signed.
    disabledCommands: ['STARTTLS'],
    async onData (stream, { envelope: { mailFrom, rcptTo } }, done) {
      const mail = await simpleParser(stream)
      received.push({ envelope: { from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address) }, mail })
      done()
    },
    ...behaviour
  })
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  const mailer = createMailer(`smtp://127.0.0.1:${port}`, { from: 'Example <login@example.com>', app: 'Example', site: 'https://example.com' })
  const sqlite = new Sqlite(':memory:')
  const db = drizzle(sqlite)
  migrate(db, migrations)
  const app = await buildExample({
    storage: drizzleStorage(db), logger: false, closeDatabase: () => sqlite.close(), otpAuth: { sendOtp: mailer.send, ...otpAuth }
  })
  t.teardown(async () => {
    await app.close()
    mailer.close()
    await new Promise<void>((resolve) => { server.close(() => resolve()) })
  })
  const post = (url: string, payload: object) => app.inject({ method: 'POST', url, payload, headers: { 'user-agent': AGENT } })
  return { received, post }
}

t.test('a code that came by SMTP logs in; the mail names the application and where it was asked for, and has no link', async (t) => {
  const { received, post } = await start(t)
  const { request_id: id } = (await post('/auth/request-otp', { email: EMAIL })).json()
  const [{ envelope, mail } = t.fail('no mail came') as never] = received
  t.same(envelope, { from: 'login@example.com', to: [EMAIL] })
  const [code] = /^\d{6}/.exec(mail.subject ?? '') ?? ['']
  t.equal(mail.subject, `${code} is your code for Example`)
  for (const part of [mail.text ?? '', mail.html || '']) {
    for (const fact of [code, 'https://example.com', '127.0.0.1, Firefox', 'UTC']) t.ok(part.includes(fact), fact)
    t.notMatch(part, /<a\b|href|<img|<script/i)
  }
  t.match((await post('/auth/verify-otp', { email: EMAIL, code, request_id: id })).json(), { token_type: 'bearer' })
})

t.test('a server that refuses the mail: 503, and the next try is free', async (t) => {
  let refuses = true
  const { received, post } = await start(t, {
    onRcptTo (_address, _session, done) { done(refuses ? Object.assign(new Error('no such mailbox'), { responseCode: 550 }) : null) }
  })
  const refused = await post('/auth/request-otp', { email: EMAIL })
  t.match(refused, { statusCode: 503 })
  t.match(refused.json(), { code: 'OTP_AUTH_DELIVERY_FAILED' })
  refuses = false
  t.match(await post('/auth/request-otp', { email: EMAIL }), { statusCode: 200 })
  t.equal(received.length, 1)
})

t.test('a server that hangs: 503 when the time is up, and the code is good once the mail comes', async (t) => {
  let goOn = () => {}
  const { received, post } = await start(t, {
    onMailFrom (_address, _session, done) { goOn = done }
  }, { deliveryTimeout: 0.5 })
  t.match((await post('/auth/request-otp', { email: EMAIL })).json(), { statusCode: 503, code: 'OTP_AUTH_DELIVERY_FAILED' })
  goOn()
  while (received.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
  const code = received[0]!.mail.subject!.slice(0, 6)
  t.match(await post('/auth/verify-otp', { email: EMAIL, code }), { statusCode: 200 })
})

t.test('what a stranger sends as a browser or an address becomes no markup and no header', async (t) => {
  const request = { ip: '2001:db8::1', headers: { 'user-agent': '<script>alert(1)</script>\r\nBcc: z@y.io' } } as never
  const mail = writeMail({ app: 'A & B', site: 'https://example.com' }, { email: "o'hara&co@example.com", code: '123456', expiresAt: new Date(0), request })
  t.notMatch(JSON.stringify(mail), /script|Bcc/)
  t.ok(mail.html.includes('A &#38; B'))
  t.ok(mail.text.includes('2001:db8::1, no browser that we know'))
  for (const [agent, browser] of [['x Chrome/1 Safari/1 Edg/1', 'Edge'], ['x Chrome/1 Safari/1 OPR/1', 'Opera'], ['x Chrome/1 Safari/1', 'Chrome'], ['x Safari/1', 'Safari']] as const) {
    const { text } = writeMail({ app: 'A', site: 'B' }, { email: 'a@x.io', code: '1', expiresAt: new Date(0), request: { ip: '::1', headers: { 'user-agent': agent } } as never })
    t.ok(text.includes(`::1, ${browser}.`), browser)
  }
})

t.test('nothing that a stranger wrote for his address goes into the mail', async (t) => {
  const sender = { app: 'Example', site: 'https://example.com' }
  const write = (ip: string) => writeMail(sender, {
    email: EMAIL, code: '123456', expiresAt: new Date(0), request: { ip, headers: { 'user-agent': AGENT } } as never
  })
  t.match(write('2001:db8::1').text, 'from 2001:db8::1, Firefox')
  for (const ip of ['our new site https://evil.example (confirm there)', '192.0.2.1 <b>', '', '192.0.2.1:80']) {
    const { text, html } = write(ip)
    t.match(text, 'from an unknown address, Firefox')
    if (ip !== '') t.notOk(text.includes(ip) || html.includes(ip))
  }
})

t.test('an address of a mail server that is none is refused without being quoted', async (t) => {
  for (const url of ['', 'localhost:587', 'http://user:hunter2@localhost']) {
    const error = t.throws(() => createMailer(url, { from: 'a@example.com', app: 'Example', site: 'https://example.com' }),
      { name: 'TypeError', message: /^SMTP_URL must be an address such as/ })
    t.notMatch((error as unknown as Error).message, /hunter2/)
  }
})
