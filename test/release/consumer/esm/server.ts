/** A minimal application on SQLite in memory. It sends the port and each code to its parent process. */
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import Fastify from 'fastify'
import otpAuth from 'fastify-otp-auth'
import { drizzleStorage, migrations } from 'fastify-otp-auth/drizzle/sqlite'

const db = drizzle(new Sqlite(':memory:'))
migrate(db, migrations)

const app = Fastify()
await app.register(otpAuth, {
  secretKey: 'a secret of the tests, of 32 bytes or more',
  storage: drizzleStorage(db),
  sendOtp: ({ code }) => { process.send!({ code }) }
})
app.get('/me', { onRequest: [app.authenticate] }, async (request) => request.user)

process.on('disconnect', () => process.exit())
process.send!({ port: Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port) })
