import { randomUUID } from 'node:crypto'
import { bigint, boolean, index, integer, pgTable, text } from 'drizzle-orm/pg-core'

/** Epoch milliseconds. They need a `bigint`; drivers may return one as text, and Drizzle makes a number of it. */
const time = (name: string) => bigint(name, { mode: 'number' })

// `text` compares byte by byte, because the default collation of a database is always deterministic.

/** The default users. IDs are random text, because a reused ID would give its new owner the sessions of the old one. */
export const users = pgTable('otp_users', {
  id: text().primaryKey().$defaultFn(() => randomUUID()),
  email: text().notNull().unique(),
  isVerified: boolean('is_verified').notNull().default(false)
})

export const challenges = pgTable('otp_challenges', {
  id: text().primaryKey(),
  emailHash: text('email_hash').notNull(),
  codeMac: text('code_mac').notNull(),
  codeLength: integer('code_length').notNull(),
  expiresAt: time('expires_at').notNull(),
  previousMac: text('previous_mac'),
  previousLength: integer('previous_length'),
  previousExpiresAt: time('previous_expires_at'),
  attempts: integer().notNull().default(0),
  consumedAt: time('consumed_at'),
  deviceKey: text('device_key')
}, (table) => [
  index('otp_challenges_email_hash').on(table.emailHash),
  index('otp_challenges_expires_at').on(table.expiresAt)
])

export const counters = pgTable('otp_counters', {
  key: text().primaryKey(),
  lastAt: time('last_at').notNull(),
  shortFrom: time('short_from').notNull(),
  shortCount: integer('short_count').notNull(),
  longFrom: time('long_from').notNull(),
  longCount: integer('long_count').notNull(),
  consecutiveFailures: integer('consecutive_failures').notNull().default(0),
  expiresAt: time('expires_at').notNull()
}, (table) => [index('otp_counters_expires_at').on(table.expiresAt)])

export const sessions = pgTable('otp_sessions', {
  id: text().primaryKey(),
  userId: text('user_id').notNull(),
  seq: integer().notNull().default(0),
  rotatedAt: time('rotated_at'),
  createdAt: time('created_at').notNull(),
  idleExpiresAt: time('idle_expires_at').notNull(),
  expiresAt: time('expires_at').notNull(),
  revokedAt: time('revoked_at')
}, (table) => [
  index('otp_sessions_user_id').on(table.userId),
  index('otp_sessions_idle_expires_at').on(table.idleExpiresAt)
])
