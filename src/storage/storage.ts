/**
 * The storage contract: what the flows need from a database, in their own words.
 *
 * Every verb **takes effect in one atomic statement**, on its own, outside any transaction of the host. The guarantees
 * under races are stated per verb; `flows/` relies on each of them, and the conformance suite has a case for each.
 *
 * - Times are epoch milliseconds. Every verb that depends on time gets `now`: the database's clock is never asked.
 * - Keys (`subject`, `key`, ids, MACs) are case-sensitive: a collation that folds them would merge accounts.
 * - Numbers come back as numbers, whatever the driver makes of a 64-bit column.
 * - A verb that cannot do its work rejects, with whatever the driver threw; the plugin turns that into
 *   `OTP_AUTH_STORAGE_UNAVAILABLE`. It never resolves to a guess.
 */
export interface OtpAuthStorage {
  /** Stores a new challenge. The id is fresh and random. */
  insertChallenge (challenge: NewChallenge): Promise<void>

  /**
   * Puts a new code into a live challenge of the same subject (not consumed, not expired), starts its tries anew, and
   * keeps the code before it until that one's own expiry.
   *
   * @returns whether there was such a challenge; `false` changes nothing.
   */
  renewChallenge (renewal: NewChallenge & { now: number }): Promise<boolean>

  /**
   * Makes one code of a challenge unusable, for its mail was refused: the newest (the one before takes its place; a
   * challenge left with none ends) or, where a newer one arrived meanwhile, the one before.
   */
  withdrawCode (code: { id: string, mac: string, now: number }): Promise<void>

  /**
   * Takes a try and, where the code fits, consumes the challenge, **in the same statement**.
   *
   * Under any number of parallel calls at most `maxAttempts` return an outcome between two renewals, and at most one of
   * all returns `accepted`. A guess of a length that no live code of the challenge has takes no try.
   *
   * @returns the outcome, or `null` where there was nothing to try: no such challenge of this subject, consumed,
   * expired, tries spent, or no code of this length.
   */
  tryCode (guess: BoundGuess): Promise<GuessOutcome | null>

  /**
   * Consumes a live challenge of the subject whose code fits and whose tries are not spent, without taking a try.
   * Under parallel calls with one code at most one gets it.
   *
   * @returns the consumed challenge's `deviceKey`, or `null` where nothing fitted.
   */
  consumeCode (guess: UnboundGuess): Promise<{ deviceKey: string | null } | null>

  /** Reads a challenge, whatever its state. */
  findChallenge (id: string): Promise<Challenge | null>

  /** Whether the subject has a challenge that {@link consumeCode} would compare: live, with tries left and a live code of this length. */
  hasLiveChallenge (query: { subject: string, codeLength: number, maxAttempts: number, now: number }): Promise<boolean>

  /**
   * Takes one from a budget: all of its counters or none. Windows are fixed and start at their first event.
   *
   * Under parallel calls no window ever counts past its limit, and of the calls within one `cooldown` one is admitted.
   *
   * @returns whether it was admitted; `false` changes nothing.
   */
  takeBudget (take: BudgetTake): Promise<boolean>

  /** Gives back what one {@link takeBudget} took. Counters never fall below zero and a later window is left alone. */
  returnBudget (refund: BudgetRefund): Promise<void>

  /**
   * Counts a failure, in a fixed window (the budget's `long` one) and in a row.
   * Parallel calls lose none and each sees a count of its own.
   *
   * @returns both counts, this failure included.
   */
  countFailure (failure: Failure): Promise<{ inWindow: number, inARow: number }>

  /** Sets the count of failures in a row to zero; the windows stay. */
  clearFailuresInARow (key: string): Promise<void>

  /** Reads a budget as it is stored; the caller compares its windows with its clock. */
  readBudget (key: string): Promise<Budget | null>

  /** Finds a user by normalised address, compared byte by byte. */
  findUser (email: string): Promise<UserRecord | null>

  /**
   * Turns an unverified user verified.
   *
   * @returns the user, to the one caller that turned it; `null` where there is no user or it was verified already.
   */
  verifyUser (email: string): Promise<UserRecord | null>

  /**
   * Makes a user, unverified. Never touches a row that exists.
   *
   * @returns the new user, or the database's refusal where any constraint (the unique address, or one of the host's own)
   * would be violated.
   */
  insertUser (user: { email: string, fields: Record<string, unknown> }): Promise<{ user: UserRecord } | { refused: Error }>

  /** The id, as text, of a user in the host's own shape. */
  userId (user: object): string

  /** Stores a new session. The id is fresh and random. */
  insertSession (session: Session): Promise<void>

  /**
   * Reads a session and its user, each by primary key: the hot path of every guarded request.
   * Both are read from the primary, never from a replica that may not have heard of a logout.
   *
   * @returns both, whatever the session's state, or `null` where either is missing or the session is another user's.
   */
  loadSession (keys: { sessionId: string, userId: string }): Promise<{ session: Session, user: UserRecord } | null>

  /**
   * Advances a session from step `seq` to the next, if it lives and its last rotation came before `rotatedBefore`.
   * Of any number of parallel calls one advances it; none revives a session that was revoked.
   */
  rotateSession (rotation: SessionRotation): Promise<boolean>

  /** Revokes a session. @returns `true` to the one caller that revoked it, expired or not. */
  revokeSession (revocation: { id: string, now: number }): Promise<boolean>

  /** Revokes the user's sessions that are not revoked yet and began before `startedBefore`. @returns how many. */
  revokeUserSessions (revocation: { userId: string, startedBefore: number, now: number }): Promise<number>

  /** The user's sessions that are neither revoked nor expired, newest first. */
  listSessions (query: { userId: string, now: number }): Promise<Session[]>

  /** Deletes at most `limit` rows of one kind that expired before `before`. @returns how many. */
  removeExpired (removal: { kind: ExpiringKind, before: number, limit: number }): Promise<number>

  /** Whether one of the first `limit` users has an address with upper-case ASCII letters, which no login would find. */
  hasMixedCaseEmails (limit: number): Promise<boolean>
}

/** What {@link OtpAuthStorage.removeExpired} can clean up. */
export type ExpiringKind = 'challenges' | 'budgets' | 'sessions'

/** A code that was asked for, as it is stored. */
export interface NewChallenge {
  /** The request id: 128 random bits. */
  id: string
  /** Whose: a hash of instance name and normalised address. */
  subject: string
  /** Keyed MAC of the code; random bytes for a decoy. */
  codeMac: string
  /** Characters in the code. */
  codeLength: number
  expiresAt: number
  /** Key of the failure budget of the device that asked, which wrong guesses charge beside the subject's; no secret. */
  deviceKey: string | null
}

export interface Challenge extends NewChallenge {
  attempts: number
  consumedAt: number | null
  /** The code before the newest, while a renewal kept one. */
  previousMac: string | null
  previousLength: number | null
  previousExpiresAt: number | null
}

export interface UnboundGuess {
  subject: string
  /** The MAC of the guessed code under every secret, newest first; at least one. */
  macs: readonly string[]
  maxAttempts: number
  now: number
}

export interface BoundGuess extends UnboundGuess {
  id: string
  /** Characters in the guessed code. */
  codeLength: number
}

export interface GuessOutcome {
  accepted: boolean
  /** Tries taken since the last renewal, this one included. */
  attempts: number
  deviceKey: string | null
}

/** A fixed window of `length` milliseconds in which `limit` events are admitted; a limit of 0 admits none. */
export interface BudgetWindow {
  length: number
  /** Up to `Number.MAX_SAFE_INTEGER`, which is how a window without a limit is asked for. */
  limit: number
}

export interface BudgetTake {
  key: string
  now: number
  /** Milliseconds that must have passed since the last admitted event; 0 for no cool-down. */
  cooldown: number
  short: BudgetWindow
  long: BudgetWindow
}

export interface BudgetRefund {
  key: string
  /** The `now` of the take. */
  takenAt: number
  /** Gives the cool-down back, unless another event was admitted since. */
  cooldown: boolean
  /** Gives the event back to both windows. */
  counts: boolean
}

export interface Failure {
  key: string
  now: number
  /** Length of the window in milliseconds. */
  window: number
  /** Milliseconds after the last failure at which the count in a row starts anew. */
  lapse: number
}

export interface Budget {
  key: string
  /** When the last event was admitted or the last failure counted; 0 after a refund. */
  lastAt: number
  shortFrom: number
  shortCount: number
  longFrom: number
  longCount: number
  inARow: number
  /** When nothing in it matters any more. */
  expiresAt: number
}

/** A user, as the flows see it: the row is the host's own and is handed through untouched. */
export interface UserRecord {
  id: string
  email: string
  isVerified: boolean
  row: object
}

/** A login. A revoked one stays until its expiry: it is the blacklist of its own tokens. */
export interface Session {
  id: string
  userId: string
  /** The step of the refresh token that is current. */
  seq: number
  rotatedAt: number | null
  createdAt: number
  /** Ends earlier than `expiresAt` where nobody refreshes; never later. */
  idleExpiresAt: number
  expiresAt: number
  revokedAt: number | null
}

export interface SessionRotation {
  id: string
  /** The step that was presented. */
  seq: number
  now: number
  /** Only where the last rotation, if any, is older than this. */
  rotatedBefore: number
  idleExpiresAt: number
}
