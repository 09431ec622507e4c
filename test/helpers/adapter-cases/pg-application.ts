import { sql } from 'drizzle-orm'
import { bigint, bigserial, boolean, pgTable, serial, text, timestamp, uuid, type PgColumnBuilderBase } from 'drizzle-orm/pg-core'
import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { users, drizzleStorage, type UsersTable } from '../../../src/storage/drizzle/pg/adapter.ts'
import type { TestPostgres } from '../databases/pg.ts'

const uuidOfNobody = 'a9a8a7a6-0000-4000-8000-000000000000'

/** ID columns of applications, for Drizzle and for PostgreSQL, and IDs that no row has or can have. */
const ids: Record<string, { column: PgColumnBuilderBase, type: string, nobody: string[] }> = {
  serial: {
    column: serial('user_no').primaryKey(),
    type: 'serial primary key',
    nobody: ['4711', '9999999999', '99999999999999999999', 'abc', '1.5', '', uuidOfNobody]
  },
  'bigint read as a number': {
    column: bigserial('user_no', { mode: 'number' }).primaryKey(),
    type: 'bigserial primary key',
    nobody: ['4711', '99999999999999999999', 'abc', '']
  },
  'bigint read as a bigint': {
    column: bigint('user_no', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    type: 'bigint primary key generated always as identity',
    nobody: ['4711', '9999999999999999999', '99999999999999999999', 'abc', '']
  },
  uuid: {
    column: uuid('user_no').primaryKey().defaultRandom(),
    type: 'uuid primary key default gen_random_uuid()',
    nobody: [uuidOfNobody, '4711', 'abc', '']
  },
  'uuid without a default': {
    column: uuid('user_no').primaryKey(),
    type: 'uuid primary key',
    nobody: [uuidOfNobody, '4711', 'abc', '']
  },
  'text without a default': {
    column: text('user_no').primaryKey(),
    type: 'text primary key',
    nobody: [uuidOfNobody, '4711', '', 'nul \0']
  }
}

/** Cases about users tables of the application. */
export function applicationCases (t: Test, { handles: [db] }: TestPostgres) {
  for (const [name, { column, type, nobody }] of Object.entries(ids)) {
    t.test(`a users table of the application with IDs of type ${name} works`, async (t) => {
      const tableName = `people_${randomBytes(4).toString('hex')}`
      await db.execute(sql.raw(`create table ${tableName} (user_no ${type}, mail text not null unique,
        proven boolean not null default false, username text unique)`))
      const people = pgTable(tableName, {
        id: column,
        email: text('mail').notNull(),
        isVerified: boolean('proven').notNull(),
        username: text('username')
      }) as unknown as UsersTable
      const storage = drizzleStorage(db, { users: people })
      const insert = (email: string, username: string) => storage.insertUser({ email, fields: { username } })

      const first = await insert('mike@x.io', 'mike')
      t.ok('user' in first)
      const { user } = first as Extract<typeof first, { user: unknown }>
      t.match(user, { email: 'mike@x.io', isVerified: false, row: { username: 'mike', isVerified: false } })
      t.equal(storage.userId(user.row), user.id)

      t.match(await insert('mike@x.io', 'other'), { refused: { code: '23505' } })
      t.match(await insert('zoe@x.io', 'mike'), { refused: { code: '23505' } }, 'a second unique column conflicts')
      t.equal(await storage.findUser('zoe@x.io'), null)
      t.equal(await storage.verifyUser('zoe@x.io'), null)
      t.same(await storage.findUser('mike@x.io'), user, 'no other user was changed')

      const session = {
        id: `session of ${tableName}`,
        userId: user.id,
        seq: 0,
        rotatedAt: null,
        createdAt: 1_700_000_000_000,
        idleExpiresAt: 1_700_000_000_001,
        expiresAt: 1_700_000_000_002,
        revokedAt: null
      }
      await storage.insertSession(session)
      t.same(await storage.loadSession({ sessionId: session.id, userId: user.id }), { session, user })
      for (const userId of nobody) {
        const sessionId = `${session.id}: ${userId}`.replace('\0', '')
        await storage.insertSession({ ...session, id: sessionId, userId: userId.replace('\0', '') })
        t.equal(await storage.loadSession({ sessionId, userId }), null, `no user has the ID ${JSON.stringify(userId)}`)
      }
    })
  }

  t.test('$onUpdate columns of the application get a new value at each update', async (t) => {
    await db.execute(sql`create table dated (id text primary key, email text not null unique,
      is_verified boolean not null, updated_at timestamp)`)
    let year = 2000
    const dated = pgTable('dated', {
      id: text().primaryKey(),
      email: text().notNull(),
      isVerified: boolean('is_verified').notNull(),
      updatedAt: timestamp('updated_at').$onUpdate(() => new Date(Date.UTC(++year, 0)))
    })
    const storage = drizzleStorage(db, { users: dated })
    await db.execute(sql`insert into dated values ('1', 'mike@x.io', false), ('2', 'zoe@x.io', false)`)
    t.same((await storage.verifyUser('mike@x.io'))!.row, {
      id: '1', email: 'mike@x.io', isVerified: true, updatedAt: new Date(Date.UTC(2001, 0))
    })
    t.match(await storage.verifyUser('zoe@x.io'), { row: { updatedAt: new Date(Date.UTC(2002, 0)) } })
  })

  t.test('an error that is not a constraint violation rejects', async (t) => {
    const storage = drizzleStorage(db, { users: pgTable('no_such_table', { id: text(), email: text().notNull(), isVerified: boolean().notNull() }) })
    await t.rejects(storage.insertUser({ email: 'mike@x.io', fields: {} }), { cause: { code: '42P01' } })
    await t.rejects(storage.loadSession({ sessionId: 'any', userId: 'any' }), { cause: { code: '42P01' } })
  })

  t.test('only ASCII letters count as upper case in the check for mixed-case emails', async (t) => {
    await db.execute(sql`truncate otp_users`)
    const storage = drizzleStorage(db)
    await db.insert(users).values({ email: 'Émile@x.io' })
    t.equal(await storage.hasMixedCaseEmails(10), false)
    await db.insert(users).values({ email: 'Emile@x.io' })
    t.equal(await storage.hasMixedCaseEmails(10), true)
  })
}
