/**
 * The storage contract: the operations that the use cases need from a database, called verbs.
 *
 * Every verb **takes effect in one atomic statement**, on its own, outside any transaction of the application. Each verb
 * states its guarantee under races. The use cases rely on these guarantees, and the conformance suite has a case for each.
 *
 * - Times are epoch milliseconds. Every verb that depends on time gets `now`; the database's clock is never used.
 * - Keys (`emailHash`, `key`, IDs, MACs) are case-sensitive: a collation that ignores case would merge accounts.
 * - Numbers are returned as numbers, even if the driver returns 64-bit columns as text or bigint.
 * - A verb that fails rejects with the driver's error. The plugin turns it into `OTP_AUTH_STORAGE_UNAVAILABLE`. A verb never
 *   resolves to a guessed value, such as `null` because the database did not respond.
 */
export interface OtpAuthStorage {
  /** Stores a new challenge. Its ID is new and random. */
  insertChallenge (challenge: NewChallenge): Promise<void>

  /**
   * Puts a new code into a live challenge (not used, not expired) of the same email hash and resets its attempts. The previous
   * code stays valid until its own expiry.
   *
   * @returns whether there was such a challenge; if `false`, nothing changed
   */
  renewChallenge (renewal: NewChallenge & { now: number }): Promise<boolean>

  /**
   * Makes one code of a challenge unusable, because its email could not be sent. If it is the newest code, the previous code
   * replaces it; a challenge without a previous code ends. If a newer code was stored meanwhile, the previous code is removed.
   */
  withdrawCode (code: { id: string, mac: string, now: number }): Promise<void>

  /**
   * Counts a bound attempt and, if the code matches, uses up the challenge, **in the same statement**.
   *
   * Under any number of parallel calls, at most `maxAttempts` of them return a result between two renewals, and at most one
   * returns `accepted`. A code whose length differs from every live code of the challenge is not counted.
   *
   * @returns the result, or `null` if nothing was compared: there is no such challenge of this email hash, it is used or
   * expired, no attempts are left, or no live code has this length
   */
  tryCode (attempt: BoundAttempt): Promise<AttemptResult | null>

  /**
   * Checks an unbound attempt: uses up a live challenge of the email hash whose code matches and that has attempts left. It does
   * not count the attempt.
   * Under parallel calls with one code, at most one call gets the challenge.
   *
   * @returns the `deviceKey` of the used challenge, or `null` if no code matched
   */
  consumeCode (attempt: UnboundAttempt): Promise<{ deviceKey: string | null } | null>

  /** Reads a challenge in any state. */
  findChallenge (id: string): Promise<Challenge | null>

  /**
   * Whether {@link consumeCode} would compare any challenge of this email hash: one that is live, has attempts left and has a
   * live code of this length.
   */
  hasLiveChallenge (query: { emailHash: string, codeLength: number, maxAttempts: number, now: number }): Promise<boolean>

  /**
   * Counts one event in both windows of a counter, if both limits and the cooldown allow it. Windows are fixed and start with
   * their first event.
   *
   * Under parallel calls no window exceeds its limit, and of all calls within one `cooldown` one is counted.
   *
   * @returns whether the event was counted; if `false`, nothing changed
   */
  incrementCounter (increment: CounterIncrement): Promise<boolean>

  /** Undoes one {@link incrementCounter}. Counts never fall below zero, and a window that started later is not changed. */
  decrementCounter (decrement: CounterDecrement): Promise<void>

  /**
   * Counts a failure in a fixed window (the counter's `long` one) and in the number of consecutive failures.
   * Parallel calls are all counted, and each returns a different count.
   *
   * @returns both counts, including this failure
   */
  countFailure (failure: Failure): Promise<{ inWindow: number, consecutive: number }>

  /** Sets the number of consecutive failures to zero. The windows stay. */
  resetConsecutiveFailures (key: string): Promise<void>

  /** Reads a counter as it is stored. The caller compares its windows with the current time. */
  readCounter (key: string): Promise<Counter | null>

  /** Finds a user by normalized address, compared byte by byte. */
  findUser (email: string): Promise<UserRecord | null>

  /**
   * Marks an unverified user as verified.
   *
   * @returns the user, to exactly one caller; `null` if there is no such user or it was already verified
   */
  verifyUser (email: string): Promise<UserRecord | null>

  /**
   * Creates an unverified user. Never changes an existing row.
   *
   * @returns the new user, or the database's error if a constraint would be violated: the unique address, or a constraint of
   * the application
   */
  insertUser (user: { email: string, fields: Record<string, unknown> }): Promise<{ user: UserRecord } | { refused: Error }>

  /** The ID, as text, of a row or document of the users table. Synchronous: it does not access the database. */
  userId (user: object): string

  /** Stores a new session. Its ID is new and random. */
  insertSession (session: Session): Promise<void>

  /**
   * Reads a session and its user, each by primary key. Every guarded request calls this verb.
   * Both are read from the primary, never from a replica, which may not know about a logout yet.
   *
   * @returns both, in any state of the session; `null` if either is missing or the session belongs to another user
   */
  loadSession (keys: { sessionId: string, userId: string }): Promise<{ session: Session, user: UserRecord } | null>

  /**
   * Adds one to the sequence number of a session, if it is `seq`, the session is live and its last rotation was before
   * `rotatedBefore`. Under parallel calls exactly one succeeds. A revoked session stays revoked.
   *
   * @returns whether this call rotated the session; if `false`, nothing changed
   */
  rotateSession (rotation: SessionRotation): Promise<boolean>

  /** Revokes a session, expired or not. @returns `true` to exactly one caller */
  revokeSession (revocation: { id: string, now: number }): Promise<boolean>

  /** Revokes all sessions of a user that started before `startedBefore`. @returns how many were not revoked before */
  revokeUserSessions (revocation: { userId: string, startedBefore: number, now: number }): Promise<number>

  /** The sessions of a user that are neither revoked nor expired, newest first. */
  listSessions (query: { userId: string, now: number }): Promise<Session[]>

  /** Deletes at most `limit` rows of one kind that expired before `before`. @returns how many */
  removeExpired (removal: { kind: ExpiringKind, before: number, limit: number }): Promise<number>

  /** Whether any of the first `limit` users has an address with upper-case ASCII letters, which no login would find. */
  hasMixedCaseEmails (limit: number): Promise<boolean>
}

/** The kinds of rows that {@link OtpAuthStorage.removeExpired} deletes. */
export type ExpiringKind = 'challenges' | 'counters' | 'sessions'

/** A requested code, as it is stored. */
export interface NewChallenge {
  /** The request ID: 128 random bits. */
  id: string
  /** Hash of the instance's name and the normalized address. */
  emailHash: string
  /** Keyed MAC of the code, or random bytes for a decoy. */
  codeMac: string
  /** Characters in the code. */
  codeLength: number
  expiresAt: number
  /**
   * Key of the failure counter of the remembered browser that requested the code, or `null`. Wrong codes are counted there and
   * for the address. It is a key of a counter, not a cryptographic key.
   */
  deviceKey: string | null
}

export interface Challenge extends NewChallenge {
  attempts: number
  consumedAt: number | null
  /** The previous code, if a renewal kept one. */
  previousMac: string | null
  previousLength: number | null
  previousExpiresAt: number | null
}

/** An attempt without a request ID: only an email address and a code. */
export interface UnboundAttempt {
  emailHash: string
  /** The MACs of the entered code, one for each secret, newest first. At least one. */
  macs: readonly string[]
  maxAttempts: number
  now: number
}

/** An attempt with a request ID, which is the ID of one challenge. */
export interface BoundAttempt extends UnboundAttempt {
  /** The request ID. */
  id: string
  /** Characters in the entered code. */
  codeLength: number
}

export interface AttemptResult {
  accepted: boolean
  /** Attempts since the last renewal, including this one. */
  attempts: number
  deviceKey: string | null
}

/** A fixed window of `length` milliseconds that allows `limit` events. A limit of 0 allows none. */
export interface CounterWindow {
  length: number
  /** Up to `Number.MAX_SAFE_INTEGER`, which means that there is no limit. */
  limit: number
}

export interface CounterIncrement {
  key: string
  now: number
  /** Milliseconds that must have passed since the last counted event; 0 for no cooldown. */
  cooldown: number
  short: CounterWindow
  long: CounterWindow
}

export interface CounterDecrement {
  key: string
  /** When the event was counted: the `now` of the increment. */
  takenAt: number
  /** Whether to end the cooldown. A cooldown that a later event started goes on. */
  cooldown: boolean
  /** Whether to remove the event from the counts of both windows. */
  counts: boolean
}

export interface Failure {
  key: string
  now: number
  /** Length of the window in milliseconds. */
  window: number
  /** Milliseconds without a failure after which consecutive failures are counted from zero again. */
  lapse: number
}

export interface Counter {
  key: string
  /** When the last event or failure was counted; 0 after the cooldown was ended. */
  lastAt: number
  /** When the current short window started. */
  shortFrom: number
  shortCount: number
  /** When the current long window started. */
  longFrom: number
  longCount: number
  consecutiveFailures: number
  /** When the counter no longer has any effect. */
  expiresAt: number
}

/** A user. `row` belongs to the application and is passed on unchanged. */
export interface UserRecord {
  id: string
  email: string
  isVerified: boolean
  row: object
}

/** A session. A revoked session is kept until it expires, so that its tokens stay refused. */
export interface Session {
  id: string
  userId: string
  /** The sequence number of the current refresh token. Each rotation adds one. */
  seq: number
  /** When the refresh token was last rotated; `null` before the first rotation. */
  rotatedAt: number | null
  createdAt: number
  /** The end of the session if it is not refreshed. Never later than `expiresAt`. */
  idleExpiresAt: number
  expiresAt: number
  revokedAt: number | null
}

export interface SessionRotation {
  id: string
  /** The sequence number of the refresh token that the client sent. */
  seq: number
  now: number
  /** The session is rotated only if its last rotation, if any, was before this time. */
  rotatedBefore: number
  idleExpiresAt: number
}
