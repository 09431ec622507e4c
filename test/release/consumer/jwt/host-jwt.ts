/**
 * An application that registers its own @fastify/jwt and @fastify/cookie, and uses the shipped adapter. It is compiled and never
 * run. It is a program of its own, because the types that it imports must not be available to the other consumer.
 */
import fastifyCookie from '@fastify/cookie'
import fastifyJwt from '@fastify/jwt'
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import Fastify from 'fastify'
import otpAuth, { type OtpAuthOptions, type OtpAuthUser } from 'fastify-otp-auth'
import { drizzleStorage, users } from 'fastify-otp-auth/drizzle/sqlite'

declare const options: OtpAuthOptions

export const storage: OtpAuthOptions['storage'] = drizzleStorage(drizzle(new Sqlite(':memory:')), { users })

const app = Fastify()
await app.register(fastifyJwt, { secret: 'x' })
await app.register(fastifyCookie)
await app.register(otpAuth, options)

app.get('/me', { onRequest: [app.authenticate] }, async (request, reply) => {
  const user: OtpAuthUser = request.user
  reply.setCookie('theme', 'dark')
  await request.jwtVerify()
  return { email: user.email, token: app.jwt.sign({ sub: String(user.id) }) }
})
