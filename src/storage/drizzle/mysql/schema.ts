import { randomUUID } from 'node:crypto'
import { bigint, boolean, customType, index, int, mysqlTable, varbinary, varchar } from 'drizzle-orm/mysql-core'

/*
 * Drizzle writes the assignments of an update in the order of the columns **here**, and these databases carry them out
 * from left to right, a later one seeing what an earlier one wrote. So wherever one column's new value is made from
 * another's old one, it stands before that other: `previous*` before `code*`, `inARow` before `lastAt`, counts before the
 * starts of their windows.
 */

/** Bytes: no collation that folds case, accents or trailing spaces can make one of two keys. */
const key = (name: string) => varbinary(name, { length: 255 })

/** Epoch milliseconds. */
const time = (name: string) => bigint(name, { mode: 'number' })

/** Text that differs where its code points do, under a collation that MySQL and MariaDB both have. It ignores trailing spaces. */
const address = customType<{ data: string }>({ dataType: () => 'varchar(254) character set utf8mb4 collate utf8mb4_bin' })

/** The default users. Ids are random text: one that is given out twice would hand over the sessions of the first. */
export const users = mysqlTable('otp_users', {
  id: varchar({ length: 36 }).primaryKey().$defaultFn(() => randomUUID()),
  email: address().notNull().unique(),
  isVerified: boolean('is_verified').notNull().default(false)
})

export const challenges = mysqlTable('otp_challenges', {
  id: key('id').primaryKey(),
  subject: key('subject').notNull(),
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
  index('otp_challenges_subject').on(table.subject),
  index('otp_challenges_expires_at').on(table.expiresAt)
])

export const budgets = mysqlTable('otp_budgets', {
  key: key('key').primaryKey(),
  inARow: int('in_a_row').notNull().default(0),
  shortCount: int('short_count').notNull(),
  shortFrom: time('short_from').notNull(),
  longCount: int('long_count').notNull(),
  longFrom: time('long_from').notNull(),
  lastAt: time('last_at').notNull(),
  expiresAt: time('expires_at').notNull()
}, (table) => [index('otp_budgets_expires_at').on(table.expiresAt)])

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
