/**
 * What a guard costs: requests a second to a bare route and to one behind `authenticate`, in turns within one run, on
 * SQLite in a file. Only the ratio means anything; the machine decides the rest. Run it with `npm run bench`.
 */
import { Agent, request } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import Fastify from 'fastify'
import otpAuth from 'fastify-otp-auth'
import { drizzleStorage, migrations, users } from 'fastify-otp-auth/drizzle/sqlite'

const ROUNDS = 5
const REQUESTS = 4_000
const CONNECTIONS = 20

const folder = await mkdtemp(join(tmpdir(), 'otp-auth-bench-'))
const sqlite = new Database(join(folder, 'bench.db'))
sqlite.pragma('journal_mode = WAL')
const db = drizzle(sqlite)
migrate(db, migrations)
const user = db.insert(users).values({ email: 'anna@example.com', isVerified: true }).returning().get()

const app = Fastify()
await app.register(otpAuth, { secretKey: 'a secret of the bench, of 32 bytes or more', storage: drizzleStorage(db), sendOtp: () => {} })
app.get('/bare', async () => ({ hello: 'world' }))
app.get('/guarded', { onRequest: [app.authenticate] }, async () => ({ hello: 'world' }))
const origin = await app.listen({ host: '127.0.0.1', port: 0 })
const { accessToken } = await app.otpAuth.issueTokens(user)
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })

function get (path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request(`${origin}${path}`, { agent, headers: { authorization: `Bearer ${accessToken}` } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${path} answered ${response.statusCode}`))
      response.resume().on('end', resolve)
    }).on('error', reject).end()
  })
}

/** Requests a second, with every connection busy. */
async function measure (path: string): Promise<number> {
  let left = REQUESTS
  const start = performance.now()
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (left-- > 0) await get(path)
  }))
  return REQUESTS / (performance.now() - start) * 1000
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const bare: number[] = []
const guarded: number[] = []
await measure('/bare')
await measure('/guarded')
for (let round = 0; round < ROUNDS; round++) {
  bare.push(await measure('/bare'))
  guarded.push(await measure('/guarded'))
}
console.log(`bare ${median(bare).toFixed(0)}/s, guarded ${median(guarded).toFixed(0)}/s: ` +
  `a guarded route serves ${(100 * median(guarded) / median(bare)).toFixed(0)} % of what a bare one does (client and server on one machine)`)

agent.destroy()
await app.close()
sqlite.close()
await rm(folder, { recursive: true })
