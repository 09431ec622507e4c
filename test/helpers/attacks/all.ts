import type { Test } from 'tap'
import type { Sizes, Target } from '../target.ts'
import type { Attack } from './attack.ts'
import { oneRightAmongWrong, rightGuesses, rightUnboundGuesses, strangerAtTheDoor, wrongGuesses } from './guessing.ts'
import { impatientOwner, mailBomb } from './sending.ts'
import { logoutElsewhere, logoutRacingRefresh, parallelRefreshes } from './sessions.ts'

/** Every attack that needs no options of its own, by the promise that it tries to break. */
const attacks = ({ parallel, rounds }: Sizes): Record<string, Attack> => ({
  [`of ${parallel} wrong guesses at once five are compared, then the right code is refused`]: wrongGuesses,
  [`${parallel - 1} wrong guesses and the right one at once, ${rounds} times: at most five compared, at most one login`]: oneRightAmongWrong,
  [`one code entered ${parallel} times at once opens one session`]: rightGuesses,
  [`one code entered ${parallel} times at once, without its id, opens one session`]: rightUnboundGuesses,
  'a stranger who knows the address spoils nothing that the owner’s browser holds': strangerAtTheDoor,
  [`${parallel / 2} requests at once send one mail, none a second before the cool-down ends, one after it`]: mailBomb,
  'six clicks within the cool-down cost one send': impatientOwner,
  [`${parallel / 2} refreshes of one token at once advance the session by one and log nobody out`]: parallelRefreshes,
  [`after a logout that raced refreshes nothing works, ${rounds} times`]: logoutRacingRefresh,
  'a logout ends the access token at every server at once': logoutElsewhere
})

export async function attack (t: Test, target: Target): Promise<void> {
  for (const [promise, tryToBreak] of Object.entries(attacks(target.sizes))) {
    await t.test(promise, (t) => tryToBreak(t, target))
  }
}
