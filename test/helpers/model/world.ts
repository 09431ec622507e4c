import Fastify, { type FastifyInstance } from 'fastify'
import otpAuth, { type OtpAuthStorage, type OtpEmail } from '../../../src/index.ts'
import { STORAGE_VERBS } from '../../../src/storage/verbs.ts'
import { START } from '../app.ts'
import { settings } from './settings.ts'

/** When a process dies: at its nth storage call, which takes effect or does not. */
export interface Crash {
  at: number
  tookEffect: boolean
}

/** The plugin on one database. The test controls everything around it. */
export interface World {
  app: FastifyInstance
  /** The storage without the wrapper that crashes. */
  storage: OtpAuthStorage
  now: number
  provider: 'works' | 'rejects' | 'hangs'
  banned: Set<string>
  /** The emails since this list was last emptied. */
  emails: OtpEmail[]
  /** Runs a request during which the process dies. @returns the result, and whether the process died before the end */
  crashing<T> (crash: Crash | null, run: () => Promise<T>): Promise<{ result: T, crashed: boolean }>
}

export async function createWorld (storage: OtpAuthStorage): Promise<World> {
  const { mortal, crashing } = mortalStorage(storage)
  const app = Fastify()
  const world: World = { app, storage, now: START, provider: 'works', banned: new Set(), emails: [], crashing }
  await app.register(otpAuth, {
    ...settings,
    secretKey: 'a secret of the tests, of 32 bytes or more',
    storage: mortal,
    clock: () => world.now,
    cleanupInterval: false,
    // The IP rate limits have their own clock and their own tests.
    rateLimit: false,
    refreshTokenDelivery: 'both',
    isAllowed: ({ email }) => !world.banned.has(email),
    // With isAllowed it is off by default, and no email would ever be refunded.
    awaitDelivery: true,
    deliveryTimeout: 0.002,
    async sendOtp (sent) {
      world.emails.push(sent)
      if (world.provider === 'rejects') throw new Error('the email provider is down')
      if (world.provider === 'hangs') await new Promise(() => {})
    }
  })
  app.get('/me', { onRequest: [app.authenticate] }, async ({ user: { email } }) => ({ email }))
  app.get('/verified', { preHandler: [app.requireVerified] }, async ({ user: { email } }) => ({ email }))
  await app.ready()
  return world
}

/** A storage that does nothing after the process has died. */
function mortalStorage (storage: OtpAuthStorage) {
  let death: Crash | null = null
  let calls = 0
  const verbs = storage as unknown as Record<string, (input: unknown) => Promise<unknown>>
  const mortal: Record<string, unknown> = { userId: storage.userId.bind(storage) }
  for (const verb of STORAGE_VERBS) {
    mortal[verb] ??= async (input: unknown) => {
      calls++
      if (death === null || calls < death.at) return await verbs[verb]!(input)
      if (calls === death.at && death.tookEffect) await verbs[verb]!(input)
      throw new Error('the process has died')
    }
  }

  async function crashing<T> (crash: Crash | null, run: () => Promise<T>): Promise<{ result: T, crashed: boolean }> {
    death = crash
    calls = 0
    try {
      const result = await run()
      return { result, crashed: death !== null && calls >= death.at }
    } finally {
      death = null
    }
  }
  return { mortal: mortal as unknown as OtpAuthStorage, crashing }
}
