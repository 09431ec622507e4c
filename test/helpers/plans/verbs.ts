import type { Test } from 'tap'
import type { ExpiringKind, OtpAuthStorage } from '../../../src/storage/contract.ts'

const now = 1_790_000_000_123
const hour = 3_600_000

/**
 * The statements that fill each table. Rows expire one after the other, from two hours before `now` to two hours after it, so a
 * quarter of them expired more than an hour ago. The nth row has `user-n`, `mac-n` and so on. The first row expires last.
 *
 * @param numbers the SQL after `from` that gives the numbers of the rows as `n`
 * @param quote the quote around the column `key`
 */
export function fill (numbers: (count: number) => string, quote: '"' | '`', rows = 200_000): string[] {
  const expiry = `${now + 2 * hour} - n * ${4 * hour / rows}`
  const from = `from ${numbers(rows)}`
  return [
    `insert into otp_users (id, email, is_verified) select concat('user-', n), concat('user-', n, '@x.io'), n % 2 = 0 ${from}`,
    `insert into otp_challenges (id, email_hash, code_mac, code_length, expires_at)
      select concat('challenge-', n), concat('email-hash-', n), concat('mac-', n), 6, ${expiry} ${from}`,
    `insert into otp_counters (${quote}key${quote}, last_at, short_from, short_count, long_from, long_count, expires_at)
      select concat('counter-', n), ${now - hour}, ${now - hour}, 1, ${now - hour}, 1, ${expiry} ${from}`,
    `insert into otp_sessions (id, user_id, created_at, idle_expires_at, expires_at)
      select concat('session-', n), concat('user-', n), ${now - hour}, ${expiry}, ${expiry} + ${hour} ${from}`
  ]
}

/** The number of a row that has not expired, of an unverified user. Each storage call uses another one. */
const at = (position: number) => 2 * position + 1

const emailHash = (n: number) => ({ id: `challenge-${n}`, emailHash: `email-hash-${n}`, now })
const newCode = { codeMac: 'mac-new', codeLength: 6, expiresAt: now + hour, deviceKey: null }
const macs = (n: number) => [`mac-${n}`, 'mac-under-an-older-secret']
const windows = { cooldown: 60_000, short: { length: hour, limit: 5 }, long: { length: 24 * hour, limit: 9 } }
const failure = { now, window: 24 * hour, lapse: 30 * 24 * hour }
const session = { seq: 0, rotatedAt: null, createdAt: now, idleExpiresAt: now + hour, expiresAt: now + 2 * hour, revokedAt: null }

/** The only method that may scan rows: it runs once, at startup, and reads only as many rows as its limit. */
type LimitedByDesign = 'hasMixedCaseEmails'

type HotVerb = Exclude<keyof OtpAuthStorage, 'userId' | LimitedByDesign>

/** How each method is called so that it reaches its last statement: with rows that exist or, for an insert, with new ones. */
const calls: { [Verb in HotVerb]: (storage: Pick<OtpAuthStorage, Verb>) => Promise<unknown> } = {
  insertChallenge: (storage) => storage.insertChallenge({ id: 'new', emailHash: 'new', ...newCode }),
  renewChallenge: (storage) => storage.renewChallenge({ ...emailHash(at(1)), ...newCode }),
  withdrawCode: (storage) => storage.withdrawCode({ id: `challenge-${at(2)}`, mac: `mac-${at(2)}`, now }),
  tryCode: (storage) => storage.tryCode({ ...emailHash(at(3)), macs: macs(at(3)), codeLength: 6, maxAttempts: 5 }),
  consumeCode: (storage) => storage.consumeCode({ emailHash: `email-hash-${at(4)}`, macs: macs(at(4)), maxAttempts: 5, now }),
  findChallenge: (storage) => storage.findChallenge(`challenge-${at(5)}`),
  hasLiveChallenge: (storage) => storage.hasLiveChallenge({ emailHash: `email-hash-${at(6)}`, codeLength: 6, maxAttempts: 5, now }),
  async incrementCounter (storage) {
    for (const key of [`counter-${at(7)}`, 'counter of a new mailbox']) await storage.incrementCounter({ key, now, ...windows })
  },
  decrementCounter: (storage) => storage.decrementCounter({ key: `counter-${at(8)}`, takenAt: now, cooldown: true, counts: true }),
  async countFailure (storage) {
    for (const key of [`counter-${at(9)}`, 'failures of a new email hash']) await storage.countFailure({ key, ...failure })
  },
  resetConsecutiveFailures: (storage) => storage.resetConsecutiveFailures(`counter-${at(10)}`),
  readCounter: (storage) => storage.readCounter(`counter-${at(11)}`),
  findUser: (storage) => storage.findUser(`user-${at(12)}@x.io`),
  verifyUser: (storage) => storage.verifyUser(`user-${at(13)}@x.io`),
  insertUser: (storage) => storage.insertUser({ email: 'new@x.io', fields: {} }),
  insertSession: (storage) => storage.insertSession({ id: 'new', userId: 'new', ...session }),
  loadSession: (storage) => storage.loadSession({ sessionId: `session-${at(14)}`, userId: `user-${at(14)}` }),
  rotateSession: (storage) => storage.rotateSession({
    id: `session-${at(15)}`, seq: 0, now, rotatedBefore: now - 30_000, idleExpiresAt: now + hour
  }),
  revokeSession: (storage) => storage.revokeSession({ id: `session-${at(16)}`, now }),
  revokeUserSessions: (storage) => storage.revokeUserSessions({ userId: `user-${at(17)}`, startedBefore: now, now }),
  listSessions: (storage) => storage.listSessions({ userId: `user-${at(18)}`, now }),
  async removeExpired (storage) {
    for (const kind of ['challenges', 'counters', 'sessions'] satisfies ExpiringKind[]) {
      await storage.removeExpired({ kind, before: now - hour, limit: 1000 })
      // Nearly all rows, as after a long time without cleanup.
      await storage.removeExpired({ kind, before: now + 1.9 * hour, limit: 1000 })
    }
  }
}

/** How a statement finds the rows of a table. */
export interface Access {
  table: string
  /** The index in which it looks up a value or a range; `null` if it reads the whole table or index. */
  index: string | null
}

/** Returns every access in the plan of a statement; none for an insert. */
export type Explain<Statement> = (statement: Statement) => Promise<Access[]>

/**
 * Calls every method.
 *
 * @param sent the list to which the adapter's statements are added when they are sent
 * @returns the statements of each method
 */
export async function statementsOf<Statement> (storage: OtpAuthStorage, sent: Statement[]): Promise<Map<string, Statement[]>> {
  const statements = new Map<string, Statement[]>()
  for (const [verb, call] of Object.entries(calls)) {
    await call(storage)
    statements.set(verb, sent.splice(0))
  }
  return statements
}

/** Checks the plan of each statement. */
export async function checkPlans<Statement> (t: Test, statementsByVerb: Map<string, Statement[]>, explain: Explain<Statement>) {
  for (const [verb, statements] of statementsByVerb) {
    const accesses: Access[] = []
    for (const statement of statements) accesses.push(...await explain(statement))
    const what = { statements, accesses }
    t.ok(statements.length > 0, `${verb} sends a statement`)
    t.ok(accesses.length > 0 || inserts.has(verb), `${verb} has a plan`, what)
    t.notOk(accesses.some(({ index }) => index === null), `${verb} scans no table`, what)
    // At any time half of all rows have not expired, so an index on the expiry is hardly better than a scan.
    const byExpiry = new Set(accesses.filter(({ index }) => /expires_?at/i.test(String(index))).map(({ table }) => table))
    t.same([...byExpiry].sort(), foundByExpiry[verb] ?? [], `${verb} uses the index on the expiry only for the expected tables`, what)
  }
}

/** Methods that can consist of a single insert. An insert looks only at the unique keys, and plans do not show that. */
const inserts = new Set(['insertChallenge', 'incrementCounter', 'countFailure', 'insertUser', 'insertSession'])

const foundByExpiry: Record<string, string[]> = { removeExpired: ['otp_challenges', 'otp_counters', 'otp_sessions'] }
