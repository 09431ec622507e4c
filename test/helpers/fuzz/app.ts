import Fastify from 'fastify'
import { createHash } from 'node:crypto'
import { readDevice } from '../../../src/core/device-cookie.ts'
import { deriveKeys } from '../../../src/core/key-derivation.ts'
import { networkOf } from '../../../src/core/network.ts'
import { createCounterKeys } from '../../../src/core/counter-keys.ts'
import otpAuth from '../../../src/index.ts'
import { drizzleStorage, users } from '../../../src/storage/drizzle/sqlite/adapter.ts'
import { createClock, openDatabase } from '../app.ts'
import { createSecrets } from './secrets.ts'

const SECRET = 'a secret of the tests, of 32 bytes or more'
export const DEVICE_COOKIE = '__Host-otp_device'
/** Names the route that responded. With malformed bytes, the client cannot tell from what it sent. */
export const ROUTE_HEADER = 'x-route'

/** A user that is never verified. */
export const UNVERIFIED = 'unverified@fuzz.example'

export type FuzzApp = Awaited<ReturnType<typeof startApp>>

/** The application under test, on a real port, and a record of everything that it did. */
export async function startApp (seed: number) {
  const { client, db } = openDatabase()
  const clock = createClock()
  const secrets = createSecrets()
  const counterKeys = createCounterKeys('otp_auth')
  const deviceKeys = deriveKeys([Buffer.from(SECRET)], 'otp_auth').device
  /** The newest code of each address. */
  const codes = new Map<string, string>()
  const made = new Map<string, number>()
  const did = { requested: 0, mailed: 0, bounced: 0, issued: 0 }
  /** The rows that the accepted requests explain. */
  const explained = { emailHashes: new Set<string>(), counters: new Set<string>(), users: new Set<string>([UNVERIFIED]) }
  let drawn = 0
  // The same seed gives the same codes and IDs.
  const bytes = (size: number) => createHash('sha512').update(`${seed}/${drawn++}`).digest().subarray(0, size)

  // Fastify's log line for a request contains its URL and host. In malformed bytes, both can contain parts of other headers.
  const serializers = { req: ({ method }: { method: string }) => ({ method }) }
  const app = Fastify({ trustProxy: true, logger: { level: 'info', base: null, stream: secrets.log, serializers } })
  app.addHook('onClose', async () => { client.close() })
  app.addHook('onSend', async (request, reply) => {
    const answer = `${request.routeOptions.url} ${reply.statusCode}`
    made.set(answer, (made.get(answer) ?? 0) + 1)
    reply.header(ROUTE_HEADER, request.routeOptions.url ?? 'none')
  })
  await app.register(otpAuth, {
    secretKey: SECRET,
    storage: drizzleStorage(db),
    clock,
    random: { bytes, int: (max) => bytes(6).readUIntBE(0, 6) % max },
    cleanupInterval: false,
    refreshTokenDelivery: 'both',
    awaitDelivery: true,
    isAllowed: ({ email, request, step }) => {
      if (step === 'verify') explained.users.add(email)
      if (step === 'request') {
        did.requested++
        const emailHash = counterKeys.emailHash(email)
        explained.emailHashes.add(emailHash)
        const keys = [
          counterKeys.sendsToMailbox(email), counterKeys.reserveOfMailbox(email),
          counterKeys.sendsFromNetwork(email, networkOf(request.ip)),
          counterKeys.failures(emailHash), counterKeys.unboundAttempts(emailHash)
        ]
        const cookie = new RegExp(`${DEVICE_COOKIE}=([^; ]*)`).exec(request.headers.cookie ?? '')?.[1]
        const device = readDevice(cookie, deviceKeys, clock())
        if (device !== null) keys.push(counterKeys.sendsFromDevice(email, device.id), counterKeys.failuresOfDevice(emailHash, device.id))
        for (const key of keys) explained.counters.add(key)
      }
      return !email.startsWith('banned')
    },
    sendOtp: ({ email, code }) => {
      secrets.remember(email)
      secrets.remember(code)
      did.mailed++
      if (email.startsWith('bounce') && did.mailed % 2 === 0) {
        did.bounced++
        explained.counters.add(counterKeys.releasesOfMailbox(email))
        throw new Error(`550 <${email}> is unknown, and so is what ${code} is for`)
      }
      codes.set(email, code)
    }
  })
  app.get('/me', { onRequest: [app.authenticate] }, async (request) => request.user)
  app.get('/verified', { preHandler: [app.requireVerified] }, async (request) => ({ email: request.user.email }))
  app.get('/optional', { onRequest: [app.authenticateOptional] }, async (request) => ({ email: request.user?.email ?? null }))
  const unverified = db.insert(users).values({ email: UNVERIFIED, isVerified: false }).returning().get()
  const port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)
  const tokens = { unverified: '' }

  return {
    app,
    client,
    port,
    clock,
    codes,
    secrets,
    did,
    explained,
    /** The access token of a user who is not verified. It expires, so it has to be renewed. */
    tokens,
    async renewTokens (): Promise<void> {
      tokens.unverified = (await app.otpAuth.issueTokens(unverified)).accessToken
      did.issued++
    },
    /** How often a route responded with a status, whether or not the response was read. */
    made: (route: string, status: number) => made.get(`${route} ${status}`) ?? 0
  }
}
