import type { OtpAuthStorage } from './contract.ts'

/** Every verb of the contract. The compiler demands that the list is complete, so that no verb goes unchecked or unwrapped. */
const VERBS = {
  insertChallenge: true,
  renewChallenge: true,
  withdrawCode: true,
  tryCode: true,
  consumeCode: true,
  findChallenge: true,
  hasLiveChallenge: true,
  incrementCounter: true,
  decrementCounter: true,
  countFailure: true,
  resetConsecutiveFailures: true,
  readCounter: true,
  findUser: true,
  verifyUser: true,
  insertUser: true,
  userId: true,
  insertSession: true,
  loadSession: true,
  rotateSession: true,
  revokeSession: true,
  revokeUserSessions: true,
  listSessions: true,
  removeExpired: true,
  hasMixedCaseEmails: true
} satisfies Record<keyof OtpAuthStorage, true>

/** The names of all verbs, in the order of the contract. */
export const STORAGE_VERBS = Object.keys(VERBS) as Array<keyof OtpAuthStorage>
