/** The same application as that of the ESM consumer, in CommonJS. The compiler turns each import into a `require()`. */
import Sqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import Fastify from 'fastify'
import otpAuth from 'fastify-otp-auth'
import { drizzleStorage, migrations } from 'fastify-otp-auth/drizzle/sqlite'

const db = drizzle(new Sqlite(':memory:'))
migrate(db, migrations)

const app = Fastify()
app.register(otpAuth, {
  secretKey: 'a secret of the tests, of 32 bytes or more',
  storage: drizzleStorage(db),
  sendOtp: ({ code }) => { process.send!({ code }) }
})
app.after(() => {
  app.get('/me', { onRequest: [app.authenticate] }, async (request) => request.user)
})

process.on('disconnect', () => process.exit())
app.listen({ host: '127.0.0.1', port: 0 }).then((address) => { process.send!({ port: Number(new URL(address).port) }) })
