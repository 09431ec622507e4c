import type { FastifyInstance } from 'fastify'
import { guessingOdds } from '../core/guessing-odds.ts'
import type { Services } from '../services/services.ts'

/** How many users are checked at startup: enough to notice a table from another system, few enough not to slow the start. */
const USERS_CHECKED = 1_000

/** Logs what an operator should know: the guessing odds, developer mode, and addresses that no login would find. */
export function reportAtStartup (app: FastifyInstance, { options, storage, log }: Services): void {
  log.info({ guessingOddsPerAccountAndDay: guessingOdds(options) }, 'One-time codes: the odds that a stranger guesses into one account in a day')
  if (options.developerMode) log.warn({}, 'developerMode is on: every code consists of zeros, so anyone can log in as anyone')

  async function checkUsers (): Promise<void> {
    try {
      if (await storage.hasMixedCaseEmails(USERS_CHECKED)) {
        log.warn({}, 'Some users have addresses with upper-case letters, which no login will find. docs/operating.md says how to correct them')
      }
    } catch (error) {
      // A database that is late or not migrated yet does not stop the start. Until it is ready, every response is 503.
      log.error({ err: error }, 'Storage cannot be read. Check that the database is running and that its tables exist')
    }
  }

  // Not awaited: a database that hangs must not stop the application from starting.
  app.addHook('onReady', async () => { checkUsers() })
}
