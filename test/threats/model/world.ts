import Fastify, { type FastifyInstance } from 'fastify'
import otpAuth, { type OtpAuthStorage, type OtpEmail } from '../../../src/index.ts'
import { STORAGE_VERBS } from '../../../src/storage/verbs.ts'
import { START } from '../../helpers/app.ts'
import { settings } from './settings.ts'

/** Where a process dies: at its nth statement, which took effect or did not. */
export interface Crash {
  at: number
  tookEffect: boolean
}

/** The plugin on one database, with everything round it in the hands of a test. */
export interface World {
  app: FastifyInstance
  /** Not through the wrapper that crashes. */
  storage: OtpAuthStorage
  now: number
  mailer: 'works' | 'rejects' | 'hangs'
  banned: Set<string>
  /** Mails since it was last emptied. */
  emails: OtpEmail[]
  /** Runs a request whose process dies on the way. @returns whether it got so far */
  crashing<T> (crash: Crash | null, run: () => Promise<T>): Promise<{ result: T, crashed: boolean }>
}

export async function createWorld (storage: OtpAuthStorage): Promise<World> {
  const { mortal, crashing } = mortalStorage(storage)
  const app = Fastify()
  const world: World = { app, storage, now: START, mailer: 'works', banned: new Set(), emails: [], crashing }
  await app.register(otpAuth, {
    ...settings,
    secretKey: 'a secret of the tests, of 32 bytes or more',
    storage: mortal,
    clock: () => world.now,
    cleanupInterval: false,
    // The limits by address run on a clock of their own, and have their own tests.
    rateLimit: false,
    refreshTokenDelivery: 'both',
    isAllowed: ({ email }) => !world.banned.has(email),
    // With isAllowed it is off by default, and nothing would ever be given back.
    awaitDelivery: true,
    deliveryTimeout: 0.002,
    async sendOtp (mail) {
      world.emails.push(mail)
      if (world.mailer === 'rejects') throw new Error('mailer is down')
      if (world.mailer === 'hangs') await new Promise(() => {})
    }
  })
  app.get('/me', { onRequest: [app.authenticate] }, async ({ user: { email } }) => ({ email }))
  app.get('/verified', { preHandler: [app.requireVerified] }, async ({ user: { email } }) => ({ email }))
  await app.ready()
  return world
}

/** A storage that does nothing more once the process has died. */
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
