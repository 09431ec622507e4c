import type { CounterKeys } from '../core/counter-keys.ts'
import type { Keys } from '../core/key-derivation.ts'
import type { Tokens } from '../core/tokens.ts'
import type { ResolvedOptions } from '../options/resolve.ts'
import type { OtpEmail } from '../options/types.ts'
import type { OtpAuthStorage } from '../storage/contract.ts'
import type { OtpAuthEvent } from '../types/events.ts'
import type { Delivery } from './delivery.ts'
import type { Log } from './log.ts'

/** Everything that the use cases work with. One object per instance of the plugin. */
export interface Services {
  options: ResolvedOptions
  /** Rejects only with `OTP_AUTH_STORAGE_UNAVAILABLE`, see `storage/unavailable.ts`. */
  storage: OtpAuthStorage
  tokens: Tokens
  keys: Keys
  counterKeys: CounterKeys
  delivery: Delivery
  log: Log
  emit: (event: OtpAuthEvent) => void
}

/** The Fastify request. It is only passed to the application's callbacks; no use case reads it. */
export type AppRequest = OtpEmail['request']
