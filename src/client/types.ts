/** Who is signed in, as far as the client knows. */
export interface OtpAuthClientSession {
  /** Kept in memory alone. For what cannot go through the client's `fetch`, such as the first message of a WebSocket. */
  readonly accessToken: string
  /** When the access token ends, in epoch milliseconds of this machine's clock: reckoned from when the answer came. */
  readonly expiresAt: number
  /** The `sub` of the access token: for showing and comparing. Only a server that verified the token may trust it. */
  readonly userId: string
}

/** A code that was mailed, or seems to be. Times are in seconds, from when the answer came. */
export interface OtpAuthRequestedOtp {
  /** Names this request. The client sends it with the code by itself; keep it where the login must outlive a reload. */
  readonly requestId: string
  /** Until the code ends. */
  readonly expiresIn: number
  /** Until another code can be asked for. */
  readonly resendAfter: number
  /** Characters in the code: digits, or 13 letters and digits. */
  readonly codeLength: number
}

/** A login that was begun before this client was made; what is left out is what this client's `requestOtp` was told. */
export interface OtpAuthResumedLogin {
  email?: string
  requestId?: string
}

/** Keeps the refresh token of a client without cookies, for `refreshTokenDelivery: 'body'` or `'both'`. */
export interface OtpAuthRefreshTokenStore {
  /** Empty, null or undefined: there is none. */
  get (): string | null | undefined | Promise<string | null | undefined>
  /**
   * Replaces the token, for each refresh gives a new one; undefined removes it. Resolve once it is safe: the one before
   * works for `refreshGracePeriod` (30 s) only, and to present it later ends the session as if it were stolen.
   */
  set (token: string | undefined): unknown
}

/** What the tabs of one browser agree through. Both are left out where there is none. */
export interface OtpAuthTabs {
  /** Lets the tabs take turns: `navigator.locks`. Without it, turns are taken within this tab. */
  locks?: {
    request<Result> (name: string, work: () => Promise<Result>): Promise<Result>
  }
  /** Carries the words "in" and "out", never a token: a `BroadcastChannel`. Without it, tabs learn by their next 401. */
  channel?: {
    postMessage (message: unknown): void
    addEventListener (type: 'message', listener: (event: { readonly type: string, readonly data?: unknown }) => void): void
    close (): void
  }
}

/** Options of {@link OtpAuthClient}. */
export interface OtpAuthClientOptions {
  /**
   * Where the plugin's routes are: a path on the page's own origin, or an absolute address such as
   * `https://api.example/auth`, without a query. Absolute where there is no page. It is read once, when the client is made, and
   * from the page's own address: a `<base>` does not move it. **Nothing but its scheme, host and port gets the access token.**
   * @default '/auth'
   */
  baseUrl?: string
  /**
   * Of the requests to the plugin's own routes.
   * @default 'include', for the refresh token is in a cookie; 'same-origin' with a `refreshToken` store
   */
  credentials?: 'include' | 'same-origin' | 'omit'
  /**
   * Takes the place of the global `fetch`, for every request. It must drop `Authorization` when a redirect leads to another
   * origin, as browsers and Node do.
   */
  fetch?: (input: string | Request, init?: RequestInit) => Promise<Response>
  /** @default none: the refresh token is in an HttpOnly cookie, where no script can read it */
  refreshToken?: OtpAuthRefreshTokenStore
  /**
   * Milliseconds that one of the plugin's own routes may take to answer, 1 to 2147483647. A refresh has 10 s at most; where no
   * answer came it is sent once more, with 10 s again. @default 30000
   */
  timeout?: number
  /** @default the browser's own where there is a page; none elsewhere, where each client is a user of its own */
  tabs?: OtpAuthTabs
}

/**
 * Logs in, keeps the access token and sends it. Its functions need no `this`.
 *
 * `requestOtp`, `verifyOtp`, `logout`, and `refresh` for anything but a 401, reject with an `OtpAuthClientError` where there is
 * no success; and with whatever the `refreshToken` store throws.
 */
export interface OtpAuthClient {
  /** Null: nobody is signed in. Undefined: nobody knows yet, for no answer has come since the page was loaded. */
  readonly session: OtpAuthClientSession | null | undefined

  /**
   * Asks for a code. The next call for the same address carries the request id on, which gives the request its tries anew.
   * It may fail while an earlier code for this address is still good (a cool-down, a mail that is late): let it be typed.
   */
  requestOtp (email: string): Promise<OtpAuthRequestedOtp>

  /**
   * Enters the code for the address that `requestOtp` was last told, as it was typed or pasted.
   * @param resumed for a login that was begun before a reload, or elsewhere
   */
  verifyOtp (code: string, resumed?: OtpAuthResumedLogin): Promise<OtpAuthClientSession>

  /**
   * Gets a new access token: after a reload, to learn whether somebody is signed in. Calls at the same time share one,
   * which is sent a second time where no answer came. Null where nobody is: the answer was a 401, or the `refreshToken` store is
   * empty, and then nothing is asked. The stored token is removed for `OTP_AUTH_INVALID_REFRESH_TOKEN` alone: the 401 of a
   * proxy says nothing of it.
   */
  refresh (): Promise<OtpAuthClientSession | null>

  /**
   * Ends the session on the server, then here, then in the other tabs. Where it rejects, this client keeps its session,
   * which the server may have ended: call it again.
   */
  logout (): Promise<void>

  /**
   * `fetch`, with the access token where the address is on the origin of `baseUrl`, and nothing added anywhere else or where
   * you set an `Authorization` of your own. A 401 makes it refresh, once for all who wait, and send the request once more;
   * it resolves to the 401 where nobody is signed in any longer, where somebody else now is, and where the body was a stream
   * in `init`, which can be read only once. A refresh that fails in any other way rejects, and nobody is signed out.
   */
  fetch (input: string | URL | Request, init?: RequestInit): Promise<Response>

  /**
   * Calls the listener, a moment later, when somebody else is signed in than before or nobody is any longer, in this tab or
   * another; a new token for the same user is no change.
   * @returns stops it
   */
  onChange (listener: (session: OtpAuthClientSession | null) => void): () => void

  /** Ends the exchange with other tabs: this client neither hears of their logins and logouts nor tells its own. */
  close (): void
}
