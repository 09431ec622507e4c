import { randomUUID } from 'node:crypto'
import { customType, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** An integer column that is always a number here, even if the driver is set to return integers as BigInt or text. */
const number = customType<{ data: number, driverData: number | bigint | string }>({ dataType: () => 'integer', fromDriver: Number })

/** The default users. IDs are random text, because a reused ID would give its new owner the sessions of the old one. */
export const users = sqliteTable('otp_users', {
  id: text().primaryKey().$defaultFn(() => randomUUID()),
  email: text().notNull().unique(),
  isVerified: integer('is_verified', { mode: 'boolean' }).notNull().default(false)
})

export const challenges = sqliteTable('otp_challenges', {
  id: text().primaryKey(),
  emailHash: text('email_hash').notNull(),
  codeMac: text('code_mac').notNull(),
  codeLength: number('code_length').notNull(),
  expiresAt: number('expires_at').notNull(),
  previousMac: text('previous_mac'),
  previousLength: number('previous_length'),
  previousExpiresAt: number('previous_expires_at'),
  attempts: number().notNull().default(0),
  consumedAt: number('consumed_at'),
  deviceKey: text('device_key')
}, (table) => [
  index('otp_challenges_email_hash').on(table.emailHash),
  index('otp_challenges_expires_at').on(table.expiresAt)
])

export const counters = sqliteTable('otp_counters', {
  key: text().primaryKey(),
  lastAt: number('last_at').notNull(),
  shortFrom: number('short_from').notNull(),
  shortCount: number('short_count').notNull(),
  longFrom: number('long_from').notNull(),
  longCount: number('long_count').notNull(),
  consecutiveFailures: number('consecutive_failures').notNull().default(0),
  expiresAt: number('expires_at').notNull()
}, (table) => [index('otp_counters_expires_at').on(table.expiresAt)])

export const sessions = sqliteTable('otp_sessions', {
  id: text().primaryKey(),
  userId: text('user_id').notNull(),
  seq: number().notNull().default(0),
  rotatedAt: number('rotated_at'),
  createdAt: number('created_at').notNull(),
  idleExpiresAt: number('idle_expires_at').notNull(),
  expiresAt: number('expires_at').notNull(),
  revokedAt: number('revoked_at')
}, (table) => [
  index('otp_sessions_user_id').on(table.userId),
  index('otp_sessions_idle_expires_at').on(table.idleExpiresAt)
])
