/** A CommonJS application without declaration merging, which uses the types of every entry point. It is compiled and never run. */
import * as mysqlCore from 'drizzle-orm/mysql-core'
import type { MySql2Database } from 'drizzle-orm/mysql2'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import * as pgCore from 'drizzle-orm/pg-core'
import type { PgliteDatabase } from 'drizzle-orm/pglite'
import Fastify from 'fastify'
import otpAuth, { type Guard, type OtpAuthClaims, type OtpAuthOptions, type OtpAuthUser } from 'fastify-otp-auth'
import * as mysql from 'fastify-otp-auth/drizzle/mysql'
import * as pg from 'fastify-otp-auth/drizzle/pg'
import { mongodbStorage, type MongodbStorage } from 'fastify-otp-auth/mongodb'
import { storageConformance, type ConformanceDatabase } from 'fastify-otp-auth/storage-conformance'
import { MongoClient, type Collection, type Db, type ObjectId } from 'mongodb'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_same: Same<A, B>): void => {}

interface Person { _id: ObjectId, email: string, isVerified: boolean, company: string }
declare const db: Db
declare const people: Collection<Person>
declare const strangers: Collection<{ name: string }>
declare const options: OtpAuthOptions
declare const postgres: NodePgDatabase | PgliteDatabase<{ one: true }>
declare const mariadb: MySql2Database<{ one: true }>
declare const open: () => Promise<ConformanceDatabase>

export const storages: Array<OtpAuthOptions['storage']> = [
  mongodbStorage(db),
  mongodbStorage(new MongoClient('mongodb://127.0.0.1').db(), { users: people, prefix: 'auth_' }),
  // In a CommonJS program, the classes of Drizzle differ from those in our declarations.
  pg.drizzleStorage(postgres),
  pg.drizzleStorage(pgCore.withReplicas(postgres as NodePgDatabase, [postgres as NodePgDatabase]), { users: pg.users, timeout: 1 }),
  pg.drizzleStorage(postgres, {
    users: pgCore.pgTable('users', {
      id: pgCore.uuid().primaryKey(), email: pgCore.varchar({ length: 254 }).notNull().unique(), isVerified: pgCore.boolean().notNull()
    })
  }),
  mysql.drizzleStorage(mariadb, { users: mysql.users }),
  mysql.drizzleStorage(mariadb, {
    users: mysqlCore.mysqlTable('users', {
      id: mysqlCore.serial().primaryKey(), email: mysqlCore.text().notNull().unique(), isVerified: mysqlCore.boolean().notNull()
    })
  })
]
same<ReturnType<typeof mongodbStorage>, MongodbStorage>(true)
// @ts-expect-error a client is not a database
mongodbStorage(new MongoClient('mongodb://127.0.0.1'))
// @ts-expect-error documents without an email
mongodbStorage(db, { users: strangers })

storageConformance({ test: (_name, run) => { run() }, open, parallel: 12 })

const app = Fastify()
app.register(otpAuth, options).after(() => {
  same<typeof app.authenticate, Guard>(true)
  app.get('/me', { onRequest: [app.authenticate], preHandler: app.requireVerified }, async (request) => {
    same<typeof request.user, OtpAuthUser>(true)
    same<typeof request.user.id, string | number | bigint>(true)
    same<typeof request.customClaims, OtpAuthClaims>(true)
    // @ts-expect-error a column that nobody declared
    String(request.user.company)
    return request.user
  })
})
