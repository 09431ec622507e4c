import type { Counters, Failures } from './counts.ts'

/** `text` is null if the code was never sent: it is a decoy, or the process died before. */
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

/** The whole content of a database. */
export interface State {
  users: Record<string, { isVerified: boolean }>
  banned: string[]
  challenges: Challenge[]
  counters: Counters
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

/** The claims of a token that matter here. */
export interface Refresh {
  sid: string
  seq: number
  exp: number
}
export type Access = Omit<Refresh, 'seq'>

/** A response of the plugin, as far as the model predicts it. */
export interface Expected {
  status: number
  code?: string
  attemptsRemaining?: number
  retryAfter?: number
  /** The fields of a successful response. */
  [field: string]: unknown
  /** Cookies set (+) and cleared (-). */
  cookies: string[]
  sent: { to: string, length: number, isNewUser: boolean, until: number } | null
}
