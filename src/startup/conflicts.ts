import type { FastifyInstance } from 'fastify'
import { conflict } from '../errors.ts'
import type { ResolvedOptions } from '../options/resolve.ts'

/**
 * The names and storages of the instances of one application. Two instances with one name would share keys and cookie names. Two
 * instances with one storage would share users and sessions.
 */
interface Claimed {
  names: Set<string>
  storages: Set<object>
}

/** Keyed by the HTTP server, which all scopes of an application share. */
const claimedByServer = new WeakMap<object, Claimed>()

const DECORATORS = ['otpAuth', 'authenticate', 'authenticateOptional', 'requireVerified', 'customClaims']

/**
 * Checks that the decorators are free, and reserves the name and the storage for this instance.
 *
 * @throws OTP_AUTH_CONFLICT if another plugin or another instance already uses one of them
 */
export function claimInstance (app: FastifyInstance, { name, storage }: ResolvedOptions): void {
  if (Object.hasOwn(app, 'otpAuth')) {
    throw conflict('The plugin is registered twice in one context. Register it once, or in two sibling contexts with two names')
  }
  const existing = DECORATORS.find((decorator) => Object.hasOwn(app, decorator))
  if (existing !== undefined) {
    throw conflict(`Another plugin already added the decorator "${existing}". Register one of the two plugins in a context of its own`)
  }
  const claimed = claimedByServer.get(app.server) ?? { names: new Set(), storages: new Set() }
  claimedByServer.set(app.server, claimed)
  if (claimed.names.has(name)) {
    throw conflict(`Another instance in this application already has the name "${name}". Give this instance another name`)
  }
  if (claimed.storages.has(storage)) {
    throw conflict('Another instance in this application already uses this storage. Create a storage for each instance')
  }
  claimed.names.add(name)
  claimed.storages.add(storage)
}
