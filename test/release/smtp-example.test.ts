import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { simpleParser, type ParsedMail } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import t, { type Test } from 'tap'
import { freshDist } from '../helpers/fresh-dist.ts'

// The example imports the package by its name, which resolves to `dist`. So build it before the imports.
freshDist()
const { buildExample } = await import('../../examples/shared/app.ts')
const { writeEmail } = await import('../../examples/smtp/email.ts')
const { createEmailTransport } = await import('../../examples/smtp/transport.ts')
const { drizzleStorage, migrations } = await import('fastify-otp-auth/drizzle/sqlite')

const EMAIL = 'ada@example.com'
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

interface Received {
  envelope: { from: string, to: string[] }
  email: ParsedMail
}

/** Starts a real SMTP server on loopback, and the example that sends emails through it. */
async function start (t: Test, behavior: SMTPServerOptions = {}, otpAuth: object = {}) {
  const received: Received[] = []
  const server = new SMTPServer({
    authOptional: true,
    // The server's certificate is self-signed, so it must not offer TLS.
    disabledCommands: ['STARTTLS'],
    async onData (stream, { envelope: { mailFrom, rcptTo } }, done) {
      const email = await simpleParser(stream)
      received.push({ envelope: { from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address) }, email })
      done()
    },
    ...behavior
  })
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  const transport = createEmailTransport(`smtp://127.0.0.1:${port}`, { from: 'Example <login@example.com>', app: 'Example', site: 'https://example.com' })
  const sqlite = new Sqlite(':memory:')
  const db = drizzle(sqlite)
  migrate(db, migrations)
  const app = await buildExample({
    storage: drizzleStorage(db), logger: false, closeDatabase: () => sqlite.close(), otpAuth: { sendOtp: transport.send, ...otpAuth }
  })
  t.teardown(async () => {
    await app.close()
    transport.close()
    await new Promise<void>((resolve) => { server.close(() => resolve()) })
  })
  const post = (url: string, payload: object) => app.inject({ method: 'POST', url, payload, headers: { 'user-agent': USER_AGENT } })
  return { received, post }
}

t.test('a code sent by SMTP logs in; the email names the application and where the request came from, and has no link', async (t) => {
  const { received, post } = await start(t)
  const { request_id: id } = (await post('/auth/request-otp', { email: EMAIL })).json()
  const [{ envelope, email } = t.fail('no email arrived') as never] = received
  t.same(envelope, { from: 'login@example.com', to: [EMAIL] })
  const [code] = /^\d{6}/.exec(email.subject ?? '') ?? ['']
  t.equal(email.subject, `${code} is your code for Example`)
  for (const part of [email.text ?? '', email.html || '']) {
    for (const fact of [code, 'https://example.com', '127.0.0.1, Firefox', 'UTC']) t.ok(part.includes(fact), fact)
    t.notMatch(part, /<a\b|href|<img|<script/i)
  }
  t.match((await post('/auth/verify-otp', { email: EMAIL, code, request_id: id })).json(), { token_type: 'bearer' })
})

t.test('if the server refuses the email, the response is 503 and the next request works at once', async (t) => {
  let isRefusing = true
  const { received, post } = await start(t, {
    onRcptTo (_address, _session, done) { done(isRefusing ? Object.assign(new Error('no such mailbox'), { responseCode: 550 }) : null) }
  })
  const refused = await post('/auth/request-otp', { email: EMAIL })
  t.match(refused, { statusCode: 503 })
  t.match(refused.json(), { code: 'OTP_AUTH_DELIVERY_FAILED' })
  isRefusing = false
  t.match(await post('/auth/request-otp', { email: EMAIL }), { statusCode: 200 })
  t.equal(received.length, 1)
})

t.test('if the server hangs, the response is 503 after the timeout, and the code works when the email arrives', async (t) => {
  let resume = () => {}
  const { received, post } = await start(t, {
    onMailFrom (_address, _session, done) { resume = done }
  }, { deliveryTimeout: 0.5 })
  t.match((await post('/auth/request-otp', { email: EMAIL })).json(), { statusCode: 503, code: 'OTP_AUTH_DELIVERY_FAILED' })
  resume()
  while (received.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
  const code = received[0]!.email.subject!.slice(0, 6)
  t.match(await post('/auth/verify-otp', { email: EMAIL, code }), { statusCode: 200 })
})

t.test('text that an attacker sends as a User-Agent or email address becomes neither markup nor a header', async (t) => {
  const request = { ip: '2001:db8::1', headers: { 'user-agent': '<script>alert(1)</script>\r\nBcc: z@y.io' } } as never
  const email = writeEmail({ app: 'A & B', site: 'https://example.com' }, { email: "o'hara&co@example.com", code: '123456', expiresAt: new Date(0), request })
  t.notMatch(JSON.stringify(email), /script|Bcc/)
  t.ok(email.html.includes('A &#38; B'))
  t.ok(email.text.includes('2001:db8::1, an unknown browser'))
  for (const [userAgent, browser] of [['x Chrome/1 Safari/1 Edg/1', 'Edge'], ['x Chrome/1 Safari/1 OPR/1', 'Opera'], ['x Chrome/1 Safari/1', 'Chrome'], ['x Safari/1', 'Safari']] as const) {
    const { text } = writeEmail({ app: 'A', site: 'B' }, { email: 'a@x.io', code: '1', expiresAt: new Date(0), request: { ip: '::1', headers: { 'user-agent': userAgent } } as never })
    t.ok(text.includes(`::1, ${browser}.`), browser)
  }
})

t.test('text that an attacker sends as an IP address is left out of the email', async (t) => {
  const sender = { app: 'Example', site: 'https://example.com' }
  const write = (ip: string) => writeEmail(sender, {
    email: EMAIL, code: '123456', expiresAt: new Date(0), request: { ip, headers: { 'user-agent': USER_AGENT } } as never
  })
  t.match(write('2001:db8::1').text, 'from 2001:db8::1, Firefox')
  for (const ip of ['our new site https://evil.example (confirm there)', '192.0.2.1 <b>', '', '192.0.2.1:80']) {
    const { text, html } = write(ip)
    t.match(text, 'from an unknown IP address, Firefox')
    if (ip !== '') t.notOk(text.includes(ip) || html.includes(ip))
  }
})

t.test('an invalid SMTP_URL is rejected, and the error does not contain it', async (t) => {
  for (const url of ['', 'localhost:587', 'http://user:hunter2@localhost']) {
    const error = t.throws(() => createEmailTransport(url, { from: 'a@example.com', app: 'Example', site: 'https://example.com' }),
      { name: 'TypeError', message: /^Invalid SMTP_URL\. Expected a URL such as/ })
    t.notMatch((error as unknown as Error).message, /hunter2/)
  }
})
