import type { FastifyInstance } from 'fastify'
import { Conflict } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'

/** What one application's instances own: a second one with the same name or storage would take the first one's tokens. */
interface Places {
  names: Set<string>
  storages: Set<object>
}

/** By the HTTP server, which all contexts of an application share. */
const taken = new WeakMap<object, Places>()

const DECORATORS = ['otpAuth', 'authenticate', 'authenticateOptional', 'requireVerified', 'customClaims']

/** @throws Conflict (`OTP_AUTH_CONFLICT`) where another plugin or another instance already owns what this one needs */
export function claimPlace (host: FastifyInstance, { name, storage }: ResolvedOptions): void {
  if (Object.hasOwn(host, 'otpAuth')) {
    throw new Conflict('it is registered twice in one context; register it once, or in two sibling contexts under two names')
  }
  const owned = DECORATORS.find((decorator) => Object.hasOwn(host, decorator))
  if (owned !== undefined) {
    throw new Conflict(`another plugin already decorated "${owned}"; register one of the two in a context of its own`)
  }
  const places = taken.get(host.server) ?? { names: new Set(), storages: new Set() }
  taken.set(host.server, places)
  if (places.names.has(name)) {
    throw new Conflict(`another instance of this application is already named "${name}"; give this one another name`)
  }
  if (places.storages.has(storage)) {
    throw new Conflict('another instance of this application already uses this storage; make a storage of its own for each')
  }
  places.names.add(name)
  places.storages.add(storage)
}
