import fc from 'fast-check'
import {
  askForCode, askWhileMailerIsDown, ban, cleanUp, dieAtLogin, enterCode, guessWrongly, logIn, logOut, lookAtAccount, openPage,
  prepareAccount, refresh, wait, type Typed
} from './acts.ts'
import type { Run } from './run.ts'

/** One step of a sequence. Which of the things known so far it takes is a number, counted back from the newest. */
type Act<Input> = (run: Run, input: Input) => Promise<void>

class Step<Input> implements fc.AsyncCommand<Run, Run> {
  readonly #name: string
  readonly #input: Input
  readonly #act: Act<Input>
  readonly check: (run: Run) => boolean

  constructor (name: string, input: Input, act: Act<Input>, makesSense: (run: Run) => boolean) {
    this.#name = name
    this.#input = input
    this.#act = act
    this.check = makesSense
  }

  run = async (_: unknown, run: Run): Promise<void> => { await this.#act(run, this.#input) }
  toString = () => `${this.#name} ${JSON.stringify(this.#input)}`
}

const step = <Input> (name: string, input: fc.Arbitrary<Input>, act: Act<Input>, makesSense: (run: Run) => boolean = () => true) =>
  input.map((drawn) => new Step(name, drawn, act, makesSense))

const one = <T> (value: T) => fc.constant(value)

/** The same ones come again and again, for a limit is reached by those alone. */
const visitor = fc.oneof({ weight: 3, arbitrary: one(0) }, { weight: 2, arbitrary: fc.nat(2) })
const place = fc.oneof({ weight: 1, arbitrary: one(0) }, { weight: 2, arbitrary: fc.nat(5) })
const address = fc.oneof({ weight: 4, arbitrary: one(0) }, { weight: 1, arbitrary: fc.nat(2) })
const death = fc.record({ at: fc.integer({ min: 1, max: 9 }), tookEffect: fc.boolean() })
const crash = fc.oneof({ weight: 7, arbitrary: one(null) }, { weight: 1, arbitrary: death })
/** Of the request ids: what the cookie holds, none at all, one that nobody made, or one of those handed out. */
const carried = fc.oneof(
  { weight: 5, arbitrary: one('cookie' as const) },
  { weight: 1, arbitrary: fc.constantFrom('none' as const, 'planted' as const) },
  { weight: 2, arbitrary: fc.nat(4) }
)
const token = fc.oneof({ weight: 3, arbitrary: one('cookie' as const) }, { weight: 3, arbitrary: fc.nat(4) })
const asking = {
  visitor,
  address,
  place,
  carried,
  mailer: fc.oneof({ weight: 8, arbitrary: one('works' as const) }, { weight: 1, arbitrary: fc.constantFrom('rejects' as const, 'hangs' as const) }),
  crash
}
/** Mostly the newest code, or a wrong one. */
const code = fc.oneof(
  { weight: 4, arbitrary: one<Typed>(0) },
  { weight: 2, arbitrary: fc.nat(3) },
  { weight: 3, arbitrary: one<Typed>('wrong') },
  { weight: 1, arbitrary: fc.constantFrom<Typed[]>('wrong and long', 'odd') }
)
const guessing = { visitor, address, carried, code, crash }
const MINUTE = 60
const DAY = 86_400
const seconds = fc.oneof({ weight: 7, arbitrary: one(MINUTE) }, {
  weight: 5,
  arbitrary: fc.constantFrom(
    1, 29, 30, 31, 59, 61, 539, 540, 599, 600, 899, 900, 3600, 6 * 3600, DAY - 1, DAY, 7 * DAY - 1, 7 * DAY, 23 * DAY, 30 * DAY, 180 * DAY
  )
})

const hasLoggedIn = ({ accessTokens }: Run) => accessTokens.length > 0

const weighted: Array<[number, fc.Arbitrary<Step<any>>]> = [
  [6, step('ask for a code', fc.record(asking), askForCode)],
  [5, step('enter a code', fc.record(guessing), enterCode)],
  [3, step('ask and guess wrongly', fc.record({ ...asking, times: fc.integer({ min: 2, max: 4 }) }), guessWrongly)],
  [4, step('log in', fc.record({ visitor, address, place }), logIn)],
  [1, step('die at the login', fc.record({ visitor, address, place, isPrepared: fc.boolean(), crash: death }), dieAtLogin)],
  [1, step('ask while the mailer is down', fc.record({ ...asking, times: fc.integer({ min: 2, max: 4 }) }), askWhileMailerIsDown)],
  [7, step('refresh', fc.record({ visitor, token, crash }), refresh, hasLoggedIn)],
  [2, step('log out', fc.record({ visitor, token, bearer: fc.option(fc.nat(3)), crash }), logOut, hasLoggedIn)],
  [3, step('open a page', fc.record({ token: fc.nat(4), guard: fc.constantFrom('/me' as const, '/verified' as const) }), openPage, hasLoggedIn)],
  [2, step('prepare an account', fc.record({ address }), prepareAccount)],
  [1, step('ban or unban', fc.record({ address }), ban)],
  [1, step('look at an account', fc.record({ address }), lookAtAccount)],
  [9, step('wait', fc.record({ seconds }), wait)],
  [1, step('clean up', fc.record({}), cleanUp)]
]

/** Sequences of up to forty steps; long ones as often as short ones, for the limits lie deep. */
export const sequences = fc.commands([fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })))], { maxCommands: 40, size: 'max' })
