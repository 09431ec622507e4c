import type { InjectOptions } from 'fastify'
import { remember } from './log.ts'

export interface Answer {
  status: number
  body: any
  headers: Record<string, string | string[] | undefined>
  setCookies: readonly string[]
}

/** Anything that accepts requests like `inject`: an application, or a client of a server behind real sockets. */
export interface Requestable {
  inject (request: InjectOptions): Promise<{
    statusCode: number
    headers: Record<string, string | number | string[] | undefined>
    body: string
    json (): unknown
  }>
}

/** A client that stores and sends cookies as a browser does. */
export class Browser {
  readonly cookies = new Map<string, string>()
  readonly ip: string
  #app: Requestable

  constructor (app: Requestable, ip: string) {
    this.#app = app
    this.ip = ip
  }

  /** A copy of this browser with its current cookies, for another server or another IP address. */
  at (app: Requestable, ip = this.ip): Browser {
    const browser = new Browser(app, ip)
    for (const [name, value] of this.cookies) browser.cookies.set(name, value)
    return browser
  }

  async send ({ headers, ...request }: InjectOptions): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await this.#app.inject({
      remoteAddress: this.ip,
      ...request,
      headers: { ...(cookie !== '' && { cookie }), ...headers }
    })
    const setCookies = [response.headers['set-cookie'] ?? []].flat().map(String)
    for (const line of setCookies) this.#keep(line)
    const text = response.body
    return {
      status: response.statusCode,
      body: response.headers['content-type']?.toString().startsWith('application/json') ? response.json() : text,
      headers: response.headers as Answer['headers'],
      setCookies
    }
  }

  #keep (line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
    remember(value!)
    if (/; Max-Age=0(;|$)/i.test(line)) this.cookies.delete(name!)
    else this.cookies.set(name!, value!)
  }

  async post (url: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Answer> {
    remember((body as { email?: string }).email)
    const answer = await this.send({ method: 'POST', url, payload: body as object, headers })
    remember(answer.body.access_token)
    remember(answer.body.refresh_token)
    return answer
  }

  async get (url: string, token?: string): Promise<Answer> {
    return await this.send({ method: 'GET', url, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
  }

  requestOtp = (email: string, extra: object = {}) => this.post('/auth/request-otp', { email, ...extra })
  verifyOtp = (email: string, code: string, extra: object = {}) => this.post('/auth/verify-otp', { email, code, ...extra })
  refresh = () => this.post('/auth/refresh')
  logout = () => this.post('/auth/logout')

  /** Requests a code, enters it, and returns the access token. */
  async login (email: string, codeFor: (email: string) => string): Promise<string> {
    const requested = await this.requestOtp(email)
    if (requested.status !== 200) throw new Error(`request-otp responded with ${requested.status}: ${JSON.stringify(requested.body)}`)
    const verified = await this.verifyOtp(email, codeFor(email))
    if (verified.status !== 200) throw new Error(`verify-otp responded with ${verified.status}: ${JSON.stringify(verified.body)}`)
    return verified.body.access_token
  }
}
