import { and, eq } from 'drizzle-orm'
import type { OtpAuthStorage } from '../contract.ts'
import type { Dialect } from './dialect.ts'
import { driverError } from './driver-error.ts'
import { createStatements } from './statements.ts'
import { missingId, parseId, toUserRecord } from './users-table.ts'

/** The verbs of the storage contract that are the same in all dialects. */
export function createVerbs (dialect: Dialect) {
  const statements = createStatements(dialect)
  const { db, tables: { users }, emailIs, updateUser, insertUser, isRefusal } = dialect

  return {
    insertChallenge: async (challenge) => { await statements.insertChallenge(challenge) },
    renewChallenge: async (renewal) => await statements.renewChallenge(renewal) === 1,
    findChallenge: async (id) => await statements.findChallenge({ id }) ?? null,
    hasLiveChallenge: async (query) => await statements.hasLiveChallenge(query) !== undefined,

    async decrementCounter ({ key, takenAt, cooldown, counts }) {
      // Not every driver can send a boolean.
      await statements.decrementCounter({ key, takenAt, cooldown: Number(cooldown), counts: Number(counts) })
    },
    resetConsecutiveFailures: async (key) => { await statements.resetConsecutiveFailures({ key }) },
    readCounter: async (key) => await statements.readCounter({ key }) ?? null,

    userId: (user) => String((user as { id: unknown }).id),
    async findUser (email) {
      const row = await statements.findUser({ email })
      return row === undefined ? null : toUserRecord(row)
    },
    // The next two are built at each call, because the application's columns may set values of their own, such as the time.
    async verifyUser (email) {
      const verify = db.update(users).set({ isVerified: true }).where(and(emailIs(email), eq(users.isVerified, false)))
      const row = await updateUser(verify, email)
      return row === undefined ? null : toUserRecord(row)
    },
    async insertUser ({ email, fields }) {
      const values = { ...missingId(users.id, fields), ...fields, email, isVerified: false }
      try {
        return { user: toUserRecord(await insertUser(db.insert(users).values(values), email)) }
      } catch (error) {
        if (isRefusal(error)) return { refused: driverError(error) }
        throw error
      }
    },

    insertSession: async (session) => { await statements.insertSession(session) },
    async loadSession ({ sessionId, userId }) {
      const id = parseId(users.id, userId)
      if (id === undefined) return null
      try {
        const found = await statements.loadSession({ id, sessionId })
        return found?.session.userId === userId ? { session: found.session, user: toUserRecord(found.user) } : null
      } catch (error) {
        // The column cannot hold this ID, such as text in a `uuid` column on PostgreSQL. So no row has it.
        if (isRefusal(error)) return null
        throw error
      }
    },
    rotateSession: async (rotation) => await statements.rotateSession(rotation) === 1,
    revokeSession: async (revocation) => await statements.revokeSession(revocation) === 1,
    revokeUserSessions: async (revocation) => await statements.revokeUserSessions(revocation),
    listSessions: async (query) => await statements.listSessions(query),

    removeExpired: async ({ kind, before, limit }) => await statements.removeExpired[kind]({ before, limit }),

    // It runs at every startup, so it reads the first rows only. The letters are compared here, because databases disagree
    // about regular expressions on bytes.
    hasMixedCaseEmails: async (limit) => (await statements.firstEmails({ limit })).some(({ email }) => /[A-Z]/.test(email))
  } satisfies Partial<OtpAuthStorage>
}
