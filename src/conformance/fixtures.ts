import type {
  BoundAttempt, CounterDecrement, CounterIncrement, Failure, NewChallenge, Session, SessionRotation, UnboundAttempt
} from '../storage/contract.ts'

/**
 * The current time in every case. It is larger than 2^32 and has milliseconds, so that a column that is too narrow or drops
 * milliseconds fails a case.
 */
export const now = 1_790_000_000_123

export const minute = 60_000
export const hour = 60 * minute
export const day = 24 * hour

/** A challenge that expires in ten minutes. */
export const makeChallenge = (overrides: Partial<NewChallenge> = {}): NewChallenge => ({
  id: 'challenge',
  emailHash: 'email-hash',
  codeMac: 'mac-1',
  codeLength: 6,
  expiresAt: now + 10 * minute,
  deviceKey: null,
  ...overrides
})

/** The renewal of that challenge five minutes later. Its code has another length and also lives for ten minutes. */
export const makeRenewal = (overrides: Partial<NewChallenge & { now: number }> = {}): NewChallenge & { now: number } => ({
  ...makeChallenge({ codeMac: 'mac-2', codeLength: 13, expiresAt: now + 15 * minute }),
  now: now + 5 * minute,
  ...overrides
})

export const maxAttempts = 5

/** A bound attempt at that challenge with a code of six characters. */
export const bound = (mac: string, overrides: Partial<BoundAttempt> = {}): BoundAttempt =>
  ({ id: 'challenge', emailHash: 'email-hash', macs: [mac], codeLength: 6, maxAttempts, now, ...overrides })

/** An unbound attempt for the same email hash. */
export const unbound = (mac: string, overrides: Partial<UnboundAttempt> = {}): UnboundAttempt =>
  ({ emailHash: 'email-hash', macs: [mac], maxAttempts, now, ...overrides })

export const makeIncrement = (overrides: Partial<CounterIncrement> = {}): CounterIncrement => ({
  key: 'counter',
  now,
  cooldown: 0,
  short: { length: hour, limit: 3 },
  long: { length: day, limit: 5 },
  ...overrides
})

export const makeDecrement = (overrides: Partial<CounterDecrement> = {}): CounterDecrement =>
  ({ key: 'counter', takenAt: now, cooldown: true, counts: true, ...overrides })

export const makeFailure = (overrides: Partial<Failure> = {}): Failure =>
  ({ key: 'failures', now, window: day, lapse: 30 * day, ...overrides })

/** A session that ends in 7 days if it is not refreshed, and in 30 days in any case. */
export const makeSession = (overrides: Partial<Session> = {}): Session => ({
  id: 'session',
  userId: 'user',
  seq: 0,
  rotatedAt: null,
  createdAt: now,
  idleExpiresAt: now + 7 * day,
  expiresAt: now + 30 * day,
  revokedAt: null,
  ...overrides
})

/** The first rotation of that session, one day later, with a grace period of 30 seconds. */
export const makeRotation = (overrides: Partial<SessionRotation> = {}): SessionRotation =>
  ({ id: 'session', seq: 0, now: now + day, rotatedBefore: now + day - 30_000, idleExpiresAt: now + 8 * day, ...overrides })
