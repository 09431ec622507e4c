import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import otpAuth, { type OtpAuthOptions, type OtpAuthStorage } from '../../src/index.ts'
import { START } from './app.ts'
import { openStore, type Store, type StoreSpec } from './stores.ts'

/** Describes the application under attack. It can be sent to another process as JSON. */
export interface RaceSettings {
  store: StoreSpec
  /** Options of the plugin that JSON can express. */
  options?: Partial<OtpAuthOptions>
  /** With a standing clock, limits are exact. With a running clock, later writes have later times. @default 'standing' */
  clock?: 'standing' | 'running'
}

export interface RaceApp {
  app: FastifyInstance
  store: Store
  advance (seconds: number): void
}

/** One server of the application under attack. */
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
  // Each attacker has its own IP address. On one machine, real sockets can send it only in a header.
  const app = Fastify({ trustProxy: true, ...fastify })
  app.addHook('onClose', () => store.close())
  await app.register(otpAuth, {
    secretKey: 'a secret of the tests, of 32 bytes or more',
    clock,
    cleanupInterval: false,
    // The attacks aim at the limits behind the IP rate limits. With those, most requests of an attack would not get through.
    rateLimit: false,
    ...settings.options,
    sendOtp,
    storage: wrap(app, store.storage)
  })
  app.get('/me', { onRequest: [app.authenticate] }, async (request) => request.user)
  return { app, store, advance (seconds) { offset += seconds * 1000 } }
}
