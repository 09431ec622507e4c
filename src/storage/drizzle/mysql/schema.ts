import { randomUUID } from 'node:crypto'
import { bigint, boolean, customType, index, int, mysqlTable, varbinary, varchar } from 'drizzle-orm/mysql-core'

/*
 * The order of the columns matters. Drizzle writes the assignments of an update in this order, and MySQL and MariaDB carry them
 * out from left to right: a later one sees what an earlier one wrote. So a column that is computed from the old value of another
 * column stands before it: `previous*` before `code*`, `consecutiveFailures` before `lastAt`, each count before the start of its window.
 */

/** Bytes, because a collation that ignores case, accents or trailing spaces would take two keys for the same one. */
const key = (name: string) => varbinary(name, { length: 255 })

/** Epoch milliseconds. */
const time = (name: string) => bigint(name, { mode: 'number' })

/** Text that is compared by code points, with a collation that both MySQL and MariaDB have. It ignores trailing spaces. */
const address = customType<{ data: string }>({ dataType: () => 'varchar(254) character set utf8mb4 collate utf8mb4_bin' })

/** The default users. IDs are random text, because a reused ID would give its new owner the sessions of the old one. */
export const users = mysqlTable('otp_users', {
  id: varchar({ length: 36 }).primaryKey().$defaultFn(() => randomUUID()),
  email: address().notNull().unique(),
  isVerified: boolean('is_verified').notNull().default(false)
})

export const challenges = mysqlTable('otp_challenges', {
  id: key('id').primaryKey(),
  emailHash: key('email_hash').notNull(),
  previousMac: key('previous_mac'),
  previousLength: int('previous_length'),
  previousExpiresAt: time('previous_expires_at'),
  codeMac: key('code_mac').notNull(),
  codeLength: int('code_length').notNull(),
  expiresAt: time('expires_at').notNull(),
  attempts: int().notNull().default(0),
  consumedAt: time('consumed_at'),
  deviceKey: key('device_key')
}, (table) => [
  index('otp_challenges_email_hash').on(table.emailHash),
  index('otp_challenges_expires_at').on(table.expiresAt)
])

export const counters = mysqlTable('otp_counters', {
  key: key('key').primaryKey(),
  consecutiveFailures: int('consecutive_failures').notNull().default(0),
  shortCount: int('short_count').notNull(),
  shortFrom: time('short_from').notNull(),
  longCount: int('long_count').notNull(),
  longFrom: time('long_from').notNull(),
  lastAt: time('last_at').notNull(),
  expiresAt: time('expires_at').notNull()
}, (table) => [index('otp_counters_expires_at').on(table.expiresAt)])

export const sessions = mysqlTable('otp_sessions', {
  id: key('id').primaryKey(),
  userId: key('user_id').notNull(),
  seq: int().notNull().default(0),
  rotatedAt: time('rotated_at'),
  createdAt: time('created_at').notNull(),
  idleExpiresAt: time('idle_expires_at').notNull(),
  expiresAt: time('expires_at').notNull(),
  revokedAt: time('revoked_at')
}, (table) => [
  index('otp_sessions_user_id').on(table.userId),
  index('otp_sessions_idle_expires_at').on(table.idleExpiresAt)
])
