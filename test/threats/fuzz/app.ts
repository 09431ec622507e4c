import Fastify from 'fastify'
import { createHash } from 'node:crypto'
import { readDevice } from '../../../src/core/device-cookie.ts'
import { deriveKeys } from '../../../src/core/key-derivation.ts'
import { networkOf } from '../../../src/core/network.ts'
import { createCounterKeys } from '../../../src/core/counter-keys.ts'
import otpAuth from '../../../src/index.ts'
import { drizzleStorage, users } from '../../../src/storage/drizzle/sqlite.ts'
import { createClock, openDatabase } from '../../helpers/app.ts'
import { createSecrets } from './secrets.ts'

const SECRET = 'a secret of the tests, of 32 bytes or more'
export const DEVICE_COOKIE = '__Host-otp_device'
/** Tells which route answered: of bytes that are hardly a request nobody else could say. */
export const ROUTE_HEADER = 'x-answered-by'

/** Its owner never proves it. */
export const UNVERIFIED = 'unverified@fuzz.example'

export type FuzzApp = Awaited<ReturnType<typeof startApp>>

/** The application that is fuzzed, on a real port, and everything that it did as its host sees it. */
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
  /** The rows that what was accepted explains. */
  const explained = { emailHashes: new Set<string>(), counters: new Set<string>(), users: new Set<string>([UNVERIFIED]) }
  let drawn = 0
  // The same codes and ids for the same seed.
  const bytes = (size: number) => createHash('sha512').update(`${seed}/${drawn++}`).digest().subarray(0, size)

  // Fastify's own line for a request quotes it, and so what two spoilt headers have run together to.
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
    /** Of a session of a user who is not verified: once renewed it lives for a while. */
    tokens,
    async renewTokens (): Promise<void> {
      tokens.unverified = (await app.otpAuth.issueTokens(unverified)).accessToken
      did.issued++
    },
    /** How often a route answered with a status, read by anybody or not. */
    made: (route: string, status: number) => made.get(`${route} ${status}`) ?? 0
  }
}
