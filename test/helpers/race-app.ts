import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import otpAuth, { type OtpAuthOptions, type OtpAuthStorage } from '../../src/index.ts'
import { START } from './app.ts'
import { openStore, type Store, type StoreSpec } from './stores.ts'

/** What is attacked, in words that can be handed to another process. */
export interface RaceSettings {
  store: StoreSpec
  /** Options of the plugin that survive JSON. */
  options?: Partial<OtpAuthOptions>
  /** A standing clock makes limits exact; a running one tells writes apart that come one after the other. @default 'standing' */
  clock?: 'standing' | 'running'
}

export interface RaceApp {
  app: FastifyInstance
  store: Store
  advance (seconds: number): void
}

/** One server of the attacked application. */
export async function buildRaceApp (
  settings: RaceSettings,
  sendOtp: OtpAuthOptions['sendOtp'],
  { fastify = {}, wrap = (_app, storage) => storage }: {
    fastify?: FastifyServerOptions
    wrap?: (app: FastifyInstance, storage: OtpAuthStorage) => OtpAuthStorage
  } = {}
): Promise<RaceApp> {
  let offset = 0
  const clock = settings.clock === 'running' ? () => Date.now() + offset : () => START + offset
  const store = await openStore(settings.store)
  // Each attacker has an address of its own, which real sockets on one machine can only carry in a header.
  const app = Fastify({ trustProxy: true, ...fastify })
  app.addHook('onClose', () => store.close())
  await app.register(otpAuth, {
    secretKey: 'a secret of the tests, of 32 bytes or more',
    clock,
    cleanupInterval: false,
    // What is attacked lies behind the limits per IP, which would let most of an attack from one browser not reach it.
    rateLimit: false,
    ...settings.options,
    sendOtp,
    storage: wrap(app, store.storage)
  })
  app.get('/me', { onRequest: [app.authenticate] }, async (request) => request.user)
  return { app, store, advance (seconds) { offset += seconds * 1000 } }
}
