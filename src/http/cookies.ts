import { fastifyCookie } from '@fastify/cookie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SECOND } from '../core/duration.ts'
import type { ResolvedOptions } from '../options.ts'

/** One of our cookies, under its exact name: a name with a `__Host-` prefix can be planted by no other host or path. */
export interface Cookie {
  name: string
  read (request: FastifyRequest): string | undefined
  set (reply: FastifyReply, value: string, maxAge: number): void
  clear (reply: FastifyReply): void
}

export interface Cookies {
  refresh: Cookie
  request: Cookie
  device: Cookie
}

const DEFAULT_NAME = 'otp_auth'

interface Attributes {
  path: string
  domain?: string | undefined
  partitioned?: boolean
}

/**
 * The cookies are parsed and written by the functions of @fastify/cookie alone, never through its request and reply: how
 * the host registered it (another hook, default attributes, signed cookies), or whether it did, then changes nothing here.
 */
export async function createCookies (host: FastifyInstance, { cookie, name }: Pick<ResolvedOptions, 'cookie' | 'name'>): Promise<Cookies> {
  const { parseCookie, serializeCookie } = await cookieFunctions(host)
  const { secure, sameSite, path, domain, partitioned } = cookie
  const suffix = name === DEFAULT_NAME ? '' : `_${name}`

  function prefix (attributes: Attributes): string {
    if (!secure) return ''
    return attributes.path === '/' && attributes.domain === undefined ? '__Host-' : '__Secure-'
  }

  function make (base: string, attributes: Attributes): Cookie {
    const fullName = `${prefix(attributes)}${base}${suffix}`
    const write = (reply: FastifyReply, value: string, maxAge: number) => {
      reply.header('set-cookie', serializeCookie(fullName, value, { ...attributes, maxAge, httpOnly: true, secure, sameSite }))
    }
    return {
      name: fullName,
      read: (request) => parseCookie(request.headers.cookie ?? '')[fullName],
      set: (reply, value, maxAge) => write(reply, value, Math.floor(maxAge / SECOND)),
      clear: (reply) => write(reply, '', 0)
    }
  }

  return {
    refresh: make('refresh_token', { path, domain, partitioned }),
    request: make('otp_request', { path: '/' }),
    device: make('otp_device', { path: '/' })
  }
}

/** From the host's @fastify/cookie, which cannot be registered a second time, or from one of our own in a context apart. */
async function cookieFunctions (host: FastifyInstance): Promise<Pick<FastifyInstance, 'parseCookie' | 'serializeCookie'>> {
  const of = ({ parseCookie, serializeCookie }: FastifyInstance) => ({ parseCookie, serializeCookie })
  if (host.hasDecorator('parseCookie')) return of(host)
  let own = host
  await host.register(async (context) => {
    own = context
    await context.register(fastifyCookie, { hook: false })
  })
  return of(own)
}
