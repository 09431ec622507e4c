import { fastifyCookie } from '@fastify/cookie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SECOND } from '../core/duration.ts'
import type { ResolvedOptions } from '../options.ts'

/** One of our cookies, under its exact name: a name with a `__Host-` prefix can be planted by no other host or path. */
export interface Cookie {
  name: string
  read (request: FastifyRequest): string | undefined
  /** @param lifetime in milliseconds */
  set (reply: FastifyReply, value: string, lifetime: number): void
  clear (reply: FastifyReply): void
}

export interface Cookies {
  refresh: Cookie
  request: Cookie
  device: Cookie
  /** Takes back what was set or cleared on a reply, and leaves the host's own cookies on it. */
  withdraw (reply: FastifyReply): void
}

const DEFAULT_NAME = 'otp_auth'

interface Attributes {
  path: string
  domain?: string | undefined
  partitioned?: boolean
}

/**
 * The cookies are written by @fastify/cookie's serializer alone, never through its request and reply, and read from the
 * header: how the host registered it (another hook, default attributes, signed cookies, an encoding of its own), or
 * whether it did, then changes nothing here.
 */
export async function createCookies (host: FastifyInstance, { cookie, name }: Pick<ResolvedOptions, 'cookie' | 'name'>): Promise<Cookies> {
  const serializeCookie = await cookieSerializer(host)
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
      read: (request) => valueOf(request.headers.cookie ?? '', fullName),
      set: (reply, value, lifetime) => write(reply, value, Math.floor(lifetime / SECOND)),
      clear: (reply) => write(reply, '', 0)
    }
  }

  const refresh = make('refresh_token', { path, domain, partitioned })
  const request = make('otp_request', { path: '/' })
  const device = make('otp_device', { path: '/' })
  const isOurs = (line: string) => [refresh, request, device].some((ours) => line.startsWith(`${ours.name}=`))

  return {
    refresh,
    request,
    device,
    withdraw (reply) {
      const others = [reply.getHeader('set-cookie') ?? []].flat().map(String).filter((line) => !isOurs(line))
      reply.removeHeader('set-cookie')
      if (others.length > 0) reply.header('set-cookie', others)
    }
  }
}

/** The first cookie of that name, as it stands: none of our values needs an encoding. */
function valueOf (header: string, name: string): string | undefined {
  const pair = header.split(';').map((text) => text.trim()).find((text) => text.startsWith(`${name}=`))
  return pair?.slice(name.length + 1)
}

/** From the host's @fastify/cookie, which cannot be registered a second time, or from one of our own in a context apart. */
async function cookieSerializer (host: FastifyInstance): Promise<FastifyInstance['serializeCookie']> {
  if (host.hasDecorator('serializeCookie')) return host.serializeCookie
  let own = host
  await host.register(async (context) => {
    own = context
    await context.register(fastifyCookie, { hook: false })
  })
  return own.serializeCookie
}
