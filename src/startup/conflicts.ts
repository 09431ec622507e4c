import type { FastifyInstance } from 'fastify'
import { Conflict } from '../errors.ts'
import type { ResolvedOptions } from '../options/resolve.ts'

/** What the instances of one application use. A second instance with the same name or storage would accept the first one's tokens. */
interface Claimed {
  names: Set<string>
  storages: Set<object>
}

/** Keyed by the HTTP server, which all contexts of an application share. */
const claimedByServer = new WeakMap<object, Claimed>()

const DECORATORS = ['otpAuth', 'authenticate', 'authenticateOptional', 'requireVerified', 'customClaims']

/**
 * Reserves the decorators, the name and the storage for one instance.
 *
 * @throws Conflict (`OTP_AUTH_CONFLICT`) if another plugin or another instance already uses one of them
 */
export function claimInstance (app: FastifyInstance, { name, storage }: ResolvedOptions): void {
  if (Object.hasOwn(app, 'otpAuth')) {
    throw new Conflict('The plugin is registered twice in one context. Register it once, or in two sibling contexts with two names')
  }
  const existing = DECORATORS.find((decorator) => Object.hasOwn(app, decorator))
  if (existing !== undefined) {
    throw new Conflict(`Another plugin already added the decorator "${existing}". Register one of the two plugins in a context of its own`)
  }
  const claimed = claimedByServer.get(app.server) ?? { names: new Set(), storages: new Set() }
  claimedByServer.set(app.server, claimed)
  if (claimed.names.has(name)) {
    throw new Conflict(`Another instance in this application already has the name "${name}". Give this instance another name`)
  }
  if (claimed.storages.has(storage)) {
    throw new Conflict('Another instance in this application already uses this storage. Create a storage for each instance')
  }
  claimed.names.add(name)
  claimed.storages.add(storage)
}
