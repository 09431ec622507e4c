import type { FastifyInstance } from 'fastify'
import { guessingOdds } from '../core/guessing-odds.ts'
import type { Services } from '../services/services.ts'

/** How many users are checked at startup: enough to notice a table from another system, few enough not to slow the start. */
const USERS_CHECKED = 1_000

/** Logs facts for the operator: the guessing odds, developer mode, and addresses that no login would find. */
export function reportAtStartup (app: FastifyInstance, { options, storage, log }: Services): void {
  log.info({ guessingOddsPerAccountAndDay: guessingOdds(options) }, 'Probability that an attacker guesses a code of one account within a day')
  if (options.developerMode) log.warn({}, 'developerMode is on: every code consists of zeros, so anyone can log in as anyone')

  async function checkUsers (): Promise<void> {
    try {
      if (await storage.hasMixedCaseEmails(USERS_CHECKED)) {
        log.warn({}, 'Some users have addresses with upper-case letters, which no login will find. docs/operating.md says how to correct them')
      }
    } catch (error) {
      // The application starts even if the database is not reachable or not migrated yet. Until it is ready, every response is 503.
      log.error({ err: error }, 'Storage cannot be read. Check that the database is running and that its tables exist')
    }
  }

  // Not awaited: the application must start even if the database does not respond.
  app.addHook('onReady', async () => { checkUsers() })
}
