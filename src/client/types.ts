/** The logged-in user and the access token. */
export interface OtpAuthClientSession {
  /** Held in memory only. Use it for requests that cannot use the client's `fetch`, such as the first message of a WebSocket. */
  readonly accessToken: string
  /** When the access token expires, in epoch milliseconds of this machine's clock, counted from when the response arrived. */
  readonly expiresAt: number
  /**
   * The `sub` claim of the access token, which is the user's ID. Use it only to show or compare users: the client does not
   * verify the token. A server must verify the token before it trusts the claim.
   */
  readonly userId: string
}

/**
 * A successful request for a code. It looks the same whether or not the address has an account, so an email may not have
 * been sent. Times are in seconds from when the response arrived.
 */
export interface OtpAuthRequestedOtp {
  /** The ID of this request. The client sends it with the code. Store it only if the login must continue after a page reload. */
  readonly requestId: string
  /** Seconds until the code expires. */
  readonly expiresIn: number
  /** Seconds until another code can be requested. */
  readonly resendAfter: number
  /** The length of the code: a number of digits, or 13 for a code of letters and digits. */
  readonly codeLength: number
}

/**
 * A login that was started before this client was created. If you omit a field, the client uses the value of the last
 * `requestOtp` call.
 */
export interface OtpAuthResumedLogin {
  email?: string
  requestId?: string
}

/** Stores the refresh token of a client without cookies, for `refreshTokenDelivery: 'body'` or `'both'`. */
export interface OtpAuthRefreshTokenStore {
  /** Returns the token. Return an empty string, null or undefined if there is no token. */
  get (): string | null | undefined | Promise<string | null | undefined>
  /**
   * Replaces the token, or removes it if `token` is undefined. Every refresh returns a new token.
   * Return a promise that resolves when the token is saved: the previous token works for `refreshGracePeriod` (30 s by
   * default) only. If it is sent later, the server treats it as stolen and ends the session.
   */
  set (token: string | undefined): unknown
}

/** Connects the tabs of one browser. Leave out a field if the browser does not have it. */
export interface OtpAuthTabs {
  /** Lets one tab at a time change the session: `navigator.locks`. Without it, each tab has a queue of its own. */
  locks?: {
    request<Result> (name: string, work: () => Promise<Result>): Promise<Result>
  }
  /**
   * Tells other tabs about a login or logout: a `BroadcastChannel`. Its messages are the words "in" and "out", never a token.
   * Without it, a tab notices the change at its next 401.
   */
  channel?: {
    postMessage (message: unknown): void
    addEventListener (type: 'message', listener: (event: { readonly type: string, readonly data?: unknown }) => void): void
    close (): void
  }
}

/** Options of {@link OtpAuthClient}. */
export interface OtpAuthClientOptions {
  /**
   * The URL of the plugin's routes, without a query: a path on the page's own origin, or an absolute URL such as
   * `https://api.example/auth`. If there is no page, it must be absolute. The client resolves it once, when it is created,
   * against the URL of the page; a `<base>` has no effect. **Only the scheme, host and port of this URL get the access token.**
   * @default '/auth'
   */
  baseUrl?: string
  /**
   * The `credentials` of requests to the plugin's routes.
   * @default 'include', because the refresh token is in a cookie; 'same-origin' with a `refreshToken` store
   */
  credentials?: 'include' | 'same-origin' | 'omit'
  /**
   * Replaces the global `fetch` for all requests. It must remove the `Authorization` header when a redirect leads to another
   * origin, as browsers and Node do.
   * @default the global `fetch`
   */
  fetch?: (input: string | Request, init?: RequestInit) => Promise<Response>
  /** @default undefined: the refresh token is in an HttpOnly cookie, which no script can read */
  refreshToken?: OtpAuthRefreshTokenStore
  /**
   * The timeout of a request to the plugin's routes, in milliseconds from 1 to 2147483647. A refresh has at most 10 s. If it
   * gets no response, it is sent once more, again with at most 10 s.
   * @default 30000
   */
  timeout?: number
  /**
   * How this client cooperates with the clients in other tabs.
   * @default the browser's locks and channel in a page; none elsewhere, because there each client belongs to a different user
   */
  tabs?: OtpAuthTabs
}

/**
 * Logs users in, holds the access token and adds it to requests. Its methods do not need `this`, so you can pass them around.
 *
 * `requestOtp`, `verifyOtp`, `refresh` and `logout` reject with an `OtpAuthClientError` if they do not succeed. The exception
 * is a 401 of `refresh`: it resolves to null. If the `refreshToken` store throws, they reject with its error.
 */
export interface OtpAuthClient {
  /** Null if no user is logged in. Undefined until the first response tells whether a user is logged in. */
  readonly session: OtpAuthClientSession | null | undefined

  /**
   * Requests a code. The next call for the same email address sends the same request ID, and the new code gets all attempts
   * again. If it rejects, an earlier code for this address may still be valid, for example during the cooldown or if the
   * email is late. So let the user enter a code.
   */
  requestOtp (email: string): Promise<OtpAuthRequestedOtp>

  /**
   * Logs in with the code for the email address of the last `requestOtp`. Pass the code as the user typed or pasted it.
   * @param resumed for a login that was started before a page reload, or by another client
   */
  verifyOtp (code: string, resumed?: OtpAuthResumedLogin): Promise<OtpAuthClientSession>

  /**
   * Gets a new access token. Call it after a page load to find out whether a user is logged in.
   * Calls at the same time share one request. If it gets no response, it is sent once more.
   * Resolves to null if no user is logged in: the response was a 401, or the `refreshToken` store is empty. With an empty
   * store, no request is sent. The client removes the token from the store only if the response has the code
   * `OTP_AUTH_INVALID_REFRESH_TOKEN`. A 401 with another code may come from a proxy and says nothing about the token.
   */
  refresh (): Promise<OtpAuthClientSession | null>

  /**
   * Ends the session: first on the server, then in this client, then in the other tabs. If it rejects, this client keeps its
   * session, although the server may have ended it. Call it again.
   */
  logout (): Promise<void>

  /**
   * Works like the global `fetch`, and adds the access token if the URL has the origin of `baseUrl`. It adds nothing for other
   * origins, or if you set an `Authorization` header.
   *
   * After a 401 it refreshes and sends the request once more. Requests that wait at the same time share one refresh.
   * It resolves to the 401 if no user is logged in any more, if another user is logged in now, or if the body is a stream in
   * `init`, which can be read only once. If the refresh fails for another reason, it rejects and the user stays logged in.
   */
  fetch (input: string | URL | Request, init?: RequestInit): Promise<Response>

  /**
   * Adds a listener for logins and logouts in this tab and in others. It is called shortly after another user logs in or the
   * user logs out. A new access token for the same user does not call it.
   * @returns a function that removes the listener
   */
  onChange (listener: (session: OtpAuthClientSession | null) => void): () => void

  /** Disconnects from other tabs. The client still works, but neither receives nor sends news of logins and logouts. */
  close (): void
}
