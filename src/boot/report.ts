import type { FastifyInstance } from 'fastify'
import { guessingOdds } from '../core/odds.ts'
import type { Flow } from '../flows/flow.ts'

/** Users that the boot looks at: enough to notice a table of another system, few enough to delay no start. */
const USERS_LOOKED_AT = 1_000

/** Says at boot what the operator should know: the odds, developer mode, and addresses that no login would find. */
export function reportAtBoot (host: FastifyInstance, { options, storage, log }: Flow): void {
  log.info({ guessingOddsPerAccountAndDay: guessingOdds(options) }, 'one-time codes: the odds that a stranger guesses into one account in a day')
  if (options.developerMode) log.warn({}, 'developerMode is on: every code is zeros, anybody can log in as anybody')

  async function lookAtUsers (): Promise<void> {
    try {
      if (await storage.hasMixedCaseEmails(USERS_LOOKED_AT)) {
        log.warn({}, 'some users have addresses with upper-case letters, which no login will find; the README says how to mend them')
      }
    } catch (error) {
      // A database that is late, or not migrated yet, is no reason not to start: until it is there, every answer is 503.
      log.error({ err: error }, 'storage cannot be read: is the database there, and are its tables made?')
    }
  }

  // Not awaited: a database that hangs would keep the application from starting.
  host.addHook('onReady', async () => { lookAtUsers() })
}
