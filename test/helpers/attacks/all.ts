import type { Test } from 'tap'
import type { Sizes, Target } from '../target.ts'
import type { Attack } from './attack.ts'
import { oneRightAmongWrong, rightAttempts, rightUnboundAttempts, attackerWithEmail, wrongAttempts } from './guessing.ts'
import { impatientOwner, emailBomb } from './sending.ts'
import { logoutElsewhere, logoutRacingRefresh, parallelRefreshes } from './sessions.ts'

/** Every attack that needs no special options, by the promise that it tries to break. */
const attacks = ({ parallel, rounds }: Sizes): Record<string, Attack> => ({
  [`of ${parallel} parallel wrong attempts, five are compared; then the right code is refused too`]: wrongAttempts,
  [`${parallel - 1} wrong attempts in parallel with the right one, ${rounds} times: at most five are compared and at most one logs in`]: oneRightAmongWrong,
  [`a code that is entered ${parallel} times in parallel opens one session`]: rightAttempts,
  [`a code that is entered ${parallel} times in parallel without its request ID opens one session`]: rightUnboundAttempts,
  'an attacker who knows only the email cannot stop the login in the owner’s browser': attackerWithEmail,
  [`${parallel / 2} parallel requests send one email, none one second before the cooldown ends, and one after it`]: emailBomb,
  'six requests within the cooldown count as one email': impatientOwner,
  [`${parallel / 2} parallel refreshes with one token rotate it once and log nobody out`]: parallelRefreshes,
  [`after a logout in parallel with refreshes, no token of the session works, ${rounds} times`]: logoutRacingRefresh,
  'after a logout, every server refuses the access token at once': logoutElsewhere
})

export async function attack (t: Test, target: Target): Promise<void> {
  for (const [promise, tryToBreak] of Object.entries(attacks(target.sizes))) {
    await t.test(promise, (t) => tryToBreak(t, target))
  }
}
