import fc from 'fast-check'
import {
  askForCode, askWhileProviderIsDown, ban, cleanUp, dieAtLogin, enterCode, enterWrongCodes, logIn, logOut, lookAtAccount, openPage,
  prepareAccount, refresh, wait, type Typed
} from './acts.ts'
import type { Run } from './run.ts'

/** One step of a sequence. It picks known tokens and codes by a number, counted back from the newest. */
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

/** The same values come again and again, because only repeated values reach a limit. */
const visitor = fc.oneof({ weight: 3, arbitrary: one(0) }, { weight: 2, arbitrary: fc.nat(2) })
const location = fc.oneof({ weight: 1, arbitrary: one(0) }, { weight: 2, arbitrary: fc.nat(5) })
const address = fc.oneof({ weight: 4, arbitrary: one(0) }, { weight: 1, arbitrary: fc.nat(2) })
const death = fc.record({ at: fc.integer({ min: 1, max: 9 }), tookEffect: fc.boolean() })
const crash = fc.oneof({ weight: 7, arbitrary: one(null) }, { weight: 1, arbitrary: death })
/** The request ID: the one in the cookie, none, one that the server did not create, or one of the known ones. */
const carried = fc.oneof(
  { weight: 5, arbitrary: one('cookie' as const) },
  { weight: 1, arbitrary: fc.constantFrom('none' as const, 'planted' as const) },
  { weight: 2, arbitrary: fc.nat(4) }
)
const token = fc.oneof({ weight: 3, arbitrary: one('cookie' as const) }, { weight: 3, arbitrary: fc.nat(4) })
const asking = {
  visitor,
  address,
  location,
  carried,
  provider: fc.oneof({ weight: 8, arbitrary: one('works' as const) }, { weight: 1, arbitrary: fc.constantFrom('rejects' as const, 'hangs' as const) }),
  crash
}
/** Mostly the newest code, or a wrong one. */
const code = fc.oneof(
  { weight: 4, arbitrary: one<Typed>(0) },
  { weight: 2, arbitrary: fc.nat(3) },
  { weight: 3, arbitrary: one<Typed>('wrong') },
  { weight: 1, arbitrary: fc.constantFrom<Typed[]>('wrong and long', 'odd') }
)
const entering = { visitor, address, carried, code, crash }
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
  [5, step('enter a code', fc.record(entering), enterCode)],
  [3, step('ask and enter wrong codes', fc.record({ ...asking, times: fc.integer({ min: 2, max: 4 }) }), enterWrongCodes)],
  [4, step('log in', fc.record({ visitor, address, location }), logIn)],
  [1, step('crash during a login', fc.record({ visitor, address, location, isPrepared: fc.boolean(), crash: death }), dieAtLogin)],
  [1, step('ask while the email provider is down', fc.record({ ...asking, times: fc.integer({ min: 2, max: 4 }) }), askWhileProviderIsDown)],
  [7, step('refresh', fc.record({ visitor, token, crash }), refresh, hasLoggedIn)],
  [2, step('log out', fc.record({ visitor, token, bearer: fc.option(fc.nat(3)), crash }), logOut, hasLoggedIn)],
  [3, step('open a page', fc.record({ token: fc.nat(4), guard: fc.constantFrom('/me' as const, '/verified' as const) }), openPage, hasLoggedIn)],
  [2, step('prepare an account', fc.record({ address }), prepareAccount)],
  [1, step('ban or unban', fc.record({ address }), ban)],
  [1, step('look at an account', fc.record({ address }), lookAtAccount)],
  [9, step('wait', fc.record({ seconds }), wait)],
  [1, step('clean up', fc.record({}), cleanUp)]
]

/** Sequences of up to forty steps. Long ones are as frequent as short ones, because it takes many steps to reach a limit. */
export const sequences = fc.commands([fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })))], { maxCommands: 40, size: 'max' })
