/** Values that are stored in databases and in browsers. Another value in a new version would not match what is there. */
import t from 'tap'
import { createCounterKeys } from '../../src/core/counter-keys.ts'
import { deriveKeys } from '../../src/core/key-derivation.ts'
import { migrations as mysqlMigrations } from '../../src/storage/drizzle/mysql/adapter.ts'
import { migrations as pgMigrations } from '../../src/storage/drizzle/pg/adapter.ts'
import { migrations as sqliteMigrations } from '../../src/storage/drizzle/sqlite/adapter.ts'

t.test('secret keys stay the same in every version, because other keys would end every session and code', async (t) => {
  const keys = deriveKeys([Buffer.alloc(32, 1)], 'otp_auth')
  t.strictSame((['access', 'refresh', 'code', 'device'] as const).map((purpose) => keys[purpose][0]!.subarray(0, 9).toString('base64url')), [
    '2zLGKYhMP7Us', 'm5Xa2a5vQ2gL', 'ry7EH9plS89h', 'ATMjxbrfUKMf'
  ])
})

t.test('counter keys stay the same in every version, because other keys would reset every limit and end every code', async (t) => {
  const keys = createCounterKeys('otp_auth')
  const email = 'v.x+tag@gmail.com'
  t.strictSame([
    keys.emailHash(email),
    keys.sendsToMailbox(email), keys.reserveOfMailbox(email), keys.releasesOfMailbox(email),
    keys.sendsFromNetwork(email, '192.0.2.0/24'), keys.sendsFromDevice(email, 'device'),
    keys.failures('emailHash'), keys.failuresOfDevice('emailHash', 'device'), keys.unboundAttempts('emailHash')
  ], [
    '-c03WUYv6toGRH3vSURJr4gt-WgILwqwDPTzU2gat44', 'eJs2ZO6FXal18yx8qfqEq7h5JvdQQb2l2wjw3LEU8pU',
    'TZZyONXZcIXgQFdICYZLkTAVEBPz7COx5iKZXO3IWxA', 'dvH6ZLLLWvMk2p45SISNEwVV_A0PeBPz5DqXpAWRWGg',
    'v1nonPS3bZhMoyKxy2giVQSWP0BZuSBPPKCXPggHonw', 'CztLHYhzrOOXcl19N87gz1fwvBn0cVxfPWnYcOCDfe0',
    'S8AtxTJfhFksQ0Px6r-BgvY8yggVnYxcgwKQjYPnT1Q', 'qiq3K-A4lEHUl8FI2Sp3couLLhndyeISqOxxH8OPH44',
    'fI-N5UWnnXpweZJxPHUmtVM_wRKD1AcF9oprERifKC0'
  ])
})

t.test('the migrations table keeps its name; with another name, applications would run all migrations again', async (t) => {
  for (const { migrationsTable } of [sqliteMigrations, pgMigrations, mysqlMigrations]) t.equal(migrationsTable, '__otp_auth_migrations')
})
