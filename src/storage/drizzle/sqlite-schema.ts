import { randomUUID } from 'node:crypto'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The default users. Ids are random text: one that is given out twice would hand over the sessions of the first. */
export const users = sqliteTable('otp_users', {
  id: text().primaryKey().$defaultFn(() => randomUUID()),
  email: text().notNull().unique(),
  isVerified: integer('is_verified', { mode: 'boolean' }).notNull().default(false)
})

export const challenges = sqliteTable('otp_challenges', {
  id: text().primaryKey(),
  subject: text().notNull(),
  codeMac: text('code_mac').notNull(),
  codeLength: integer('code_length').notNull(),
  expiresAt: integer('expires_at').notNull(),
  previousMac: text('previous_mac'),
  previousLength: integer('previous_length'),
  previousExpiresAt: integer('previous_expires_at'),
  attempts: integer().notNull().default(0),
  consumedAt: integer('consumed_at'),
  deviceKey: text('device_key')
}, (table) => [
  index('otp_challenges_subject').on(table.subject),
  index('otp_challenges_expires_at').on(table.expiresAt)
])

export const budgets = sqliteTable('otp_budgets', {
  key: text().primaryKey(),
  lastAt: integer('last_at').notNull(),
  shortFrom: integer('short_from').notNull(),
  shortCount: integer('short_count').notNull(),
  longFrom: integer('long_from').notNull(),
  longCount: integer('long_count').notNull(),
  inARow: integer('in_a_row').notNull().default(0),
  expiresAt: integer('expires_at').notNull()
}, (table) => [index('otp_budgets_expires_at').on(table.expiresAt)])

export const sessions = sqliteTable('otp_sessions', {
  id: text().primaryKey(),
  userId: text('user_id').notNull(),
  seq: integer().notNull().default(0),
  rotatedAt: integer('rotated_at'),
  createdAt: integer('created_at').notNull(),
  idleExpiresAt: integer('idle_expires_at').notNull(),
  expiresAt: integer('expires_at').notNull(),
  revokedAt: integer('revoked_at')
}, (table) => [
  index('otp_sessions_user_id').on(table.userId),
  index('otp_sessions_idle_expires_at').on(table.idleExpiresAt)
])
