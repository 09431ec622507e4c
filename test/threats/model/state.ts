import type { Budgets, Failures } from './counts.ts'

/** `text` is null where nobody was mailed it: a decoy, or a process that died before. */
interface Code {
  text: string | null
  length: number
  until: number
}

export interface Challenge {
  id: string
  address: string
  newest: Code
  before: Code | null
  attempts: number
  isConsumed: boolean
  device: string | null
}

export interface Session {
  address: string
  seq: number
  rotatedAt: number | null
  startedAt: number
  idleUntil: number
  until: number
  isRevoked: boolean
}

/** Everything that a database holds. */
export interface State {
  users: Record<string, { isVerified: boolean }>
  banned: string[]
  challenges: Challenge[]
  counters: Budgets
  failures: Record<string, Failures>
  sessions: Record<string, Session>
}

export const emptyState = (): State => ({ users: {}, banned: [], challenges: [], counters: {}, failures: {}, sessions: {} })

/** A browser that has logged in before. */
export interface Device {
  id: string
  addresses: string[]
  until: number
}

/** What a token says. */
export interface Refresh {
  sid: string
  seq: number
  exp: number
}
export type Access = Omit<Refresh, 'seq'>

/** An answer of the plugin's, as far as the model foretells it. */
export interface Foretold {
  status: number
  code?: string
  attemptsRemaining?: number
  retryAfter?: number
  /** What a success holds. */
  [field: string]: unknown
  /** Cookies set (+) and cleared (-). */
  cookies: string[]
  mail: { to: string, length: number, isNewUser: boolean, until: number } | null
}
