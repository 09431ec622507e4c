import { fastifyCookie } from '@fastify/cookie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SECOND } from '../core/duration.ts'
import { DEFAULT_NAME, type ResolvedOptions } from '../options/resolve.ts'

/** One of our cookies. A name with the prefix `__Host-` cannot be set by another host or path. */
export interface Cookie {
  name: string
  read (request: FastifyRequest): string | undefined
  /** @param lifetime milliseconds */
  set (reply: FastifyReply, value: string, lifetime: number): void
  clear (reply: FastifyReply): void
}

export interface Cookies {
  refresh: Cookie
  request: Cookie
  device: Cookie
  /** Removes our cookies from a reply and keeps the application's cookies. */
  withdraw (reply: FastifyReply): void
}

interface Attributes {
  path: string
  domain?: string | undefined
  partitioned?: boolean
}

/**
 * Cookies are written with @fastify/cookie's serializer only, not through its request and reply, and they are read from the
 * header. So it does not matter whether the application registered @fastify/cookie, or with which hook, default attributes,
 * signatures or encoding.
 */
export async function createCookies (app: FastifyInstance, { cookie, name }: Pick<ResolvedOptions, 'cookie' | 'name'>): Promise<Cookies> {
  const serializeCookie = await cookieSerializer(app)
  const { secure, sameSite, path, domain, partitioned } = cookie
  const suffix = name === DEFAULT_NAME ? '' : `_${name}`

  function prefix (attributes: Attributes): string {
    if (!secure) return ''
    return attributes.path === '/' && attributes.domain === undefined ? '__Host-' : '__Secure-'
  }

  function createCookie (baseName: string, attributes: Attributes): Cookie {
    const fullName = `${prefix(attributes)}${baseName}${suffix}`
    const write = (reply: FastifyReply, value: string, maxAge: number) => {
      reply.header('set-cookie', serializeCookie(fullName, value, { ...attributes, maxAge, httpOnly: true, secure, sameSite }))
    }
    return {
      name: fullName,
      read: (request) => readCookie(request.headers.cookie ?? '', fullName),
      set: (reply, value, lifetime) => write(reply, value, Math.floor(lifetime / SECOND)),
      clear: (reply) => write(reply, '', 0)
    }
  }

  const refresh = createCookie('refresh_token', { path, domain, partitioned })
  const request = createCookie('otp_request', { path: '/' })
  const device = createCookie('otp_device', { path: '/' })
  const isOwnCookie = (line: string) => [refresh, request, device].some((own) => line.startsWith(`${own.name}=`))

  return {
    refresh,
    request,
    device,
    withdraw (reply) {
      const others = [reply.getHeader('set-cookie') ?? []].flat().map(String).filter((line) => !isOwnCookie(line))
      reply.removeHeader('set-cookie')
      if (others.length > 0) reply.header('set-cookie', others)
    }
  }
}

/** The value of the first cookie with this name. Our values need no decoding. */
function readCookie (header: string, name: string): string | undefined {
  const pair = header.split(';').map((text) => text.trim()).find((text) => text.startsWith(`${name}=`))
  return pair?.slice(name.length + 1)
}

/** Returns the serializer of the application's @fastify/cookie. If there is none, registers one in a scope of our own. */
async function cookieSerializer (app: FastifyInstance): Promise<FastifyInstance['serializeCookie']> {
  if (app.hasDecorator('serializeCookie')) return app.serializeCookie
  let own = app
  await app.register(async (scope) => {
    own = scope
    await scope.register(fastifyCookie, { hook: false })
  })
  return own.serializeCookie
}
