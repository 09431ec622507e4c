import type { OtpAuthStorage } from '../storage.ts'
import type { Dialect } from './dialect.ts'
import { createStatements } from './statements.ts'
import { parseId, toUserRecord } from './users-table.ts'
import { decrementValues } from './values.ts'

/** The verbs of the storage contract that are the same in all dialects. */
export function createVerbs (dialect: Dialect) {
  const statements = createStatements(dialect)
  const { users } = dialect.tables

  return {
    async insertChallenge (challenge) {
      await statements.insertChallenge(challenge)
    },

    async renewChallenge (renewal) {
      return await statements.renewChallenge(renewal) === 1
    },

    async findChallenge (id) {
      return await statements.findChallenge({ id }) ?? null
    },

    async hasLiveChallenge (query) {
      return await statements.hasLiveChallenge(query) !== undefined
    },

    async returnBudget (refund) {
      await statements.returnBudget(decrementValues(refund))
    },

    async clearFailuresInARow (key) {
      await statements.clearFailuresInARow({ key })
    },

    async readBudget (key) {
      return await statements.readBudget({ key }) ?? null
    },

    async findUser (email) {
      const row = await statements.findUser({ email })
      return row === undefined ? null : toUserRecord(row)
    },

    userId: (user) => String((user as { id: unknown }).id),

    async insertSession (session) {
      await statements.insertSession(session)
    },

    async loadSession ({ sessionId, userId }) {
      const id = parseId(users.id, userId)
      if (id === undefined) return null
      const found = await statements.loadSession({ id, sessionId })
      return found?.session.userId === userId ? { session: found.session, user: toUserRecord(found.user) } : null
    },

    async rotateSession (rotation) {
      return await statements.rotateSession(rotation) === 1
    },

    async revokeSession (revocation) {
      return await statements.revokeSession(revocation) === 1
    },

    revokeUserSessions: statements.revokeUserSessions,

    listSessions: statements.listSessions,

    async removeExpired ({ kind, before, limit }) {
      return await statements.removeExpired[kind]({ before, limit })
    },

    // It runs at every startup, so it reads the first rows only. The letters are compared here, because databases disagree
    // about regular expressions on bytes.
    async hasMixedCaseEmails (limit) {
      return (await statements.firstEmails({ limit })).some(({ email }) => /[A-Z]/.test(email))
    }
  } satisfies Partial<OtpAuthStorage>
}
