import { createActor, learn, plan } from './actors.ts'
import { ROUTE_HEADER, startApp } from './app.ts'
import { createDice, oddValues } from './dice.ts'
import { faultsLeftIn, faultsOf } from './invariants.ts'
import { toShot } from './mutations.ts'
import { headerOf, openWire, type Shot, type WireAnswer } from './wire.ts'

export interface Findings {
  /** Each fault includes the request that caused it. */
  faults: string[]
  /** The number of responses of each kind, such as `/auth/refresh 401`. */
  answers: Map<string, number>
}

/** The number of clients at a time. A client that leaves is replaced by one from another network. */
const CLIENTS = 24
const AT_ONCE = 6
const ENOUGH_FAULTS = 20

/**
 * Sends `requests` generated requests to a new application, some of them in parallel, and checks every response and the data
 * at the end. The same seed sends the same requests, unless parallel requests get other responses.
 */
export async function fuzz ({ seed, requests }: { seed: number, requests: number }): Promise<Findings> {
  const dice = createDice(seed)
  const odd = oddValues(seed)
  const app = await startApp(seed)
  const wire = openWire(app.port)
  const findings: Findings = { faults: [], answers: new Map() }
  const stray = (reason: unknown) => { findings.faults.push(`unhandled: ${String((reason as Error)?.stack ?? reason)}`) }
  process.on('unhandledRejection', stray).on('uncaughtException', stray)

  function look (shot: Shot, answers: readonly WireAnswer[]): void {
    if (answers.length === 0 && shot.spoil === undefined) findings.faults.push(`no response: ${describe(shot)}`)
    for (const answer of answers) {
      const kind = `${headerOf(answer, ROUTE_HEADER) ?? 'no request'} ${answer.status}`
      findings.answers.set(kind, (findings.answers.get(kind) ?? 0) + 1)
      for (const fault of faultsOf(answer, shot.method === 'HEAD')) {
        findings.faults.push(`${fault}: ${kind} ${JSON.stringify(answer.headers)} ${answer.body.slice(0, 500)} for ${describe(shot)}`)
      }
    }
  }

  try {
    await app.renewTokens()
    const clients = Array.from({ length: CLIENTS }, () => createActor(dice))
    let sent = 0
    while (sent < requests && findings.faults.length < ENOUGH_FAULTS) {
      // Mostly seconds. Sometimes long enough to end cooldowns, access tokens, limits or sessions.
      app.clock.advance(dice.weighted([[800, 1], [180, 15], [16, 70], [3, 1_000], [1, 20_000]]) * (dice.chance(1) ? 20 : 1))
      if (dice.chance(5)) await app.renewTokens()
      const volley = Array.from({ length: Math.min(1 + dice.below(AT_ONCE), requests - sent) }, () => {
        const position = dice.below(CLIENTS)
        if (dice.chance(2)) clients[position] = createActor(dice)
        const actor = clients[position]!
        return { actor, shot: toShot(dice, odd, plan(dice, actor, app)) }
      })
      sent += volley.length
      const answers = await Promise.all(volley.map(({ shot }) => wire.send(shot)))
      for (const [position, { actor, shot }] of volley.entries()) {
        look(shot, answers[position]!)
        for (const answer of answers[position]!) learn(actor, answer, app)
      }
    }
    wire.close()
    findings.faults.push(...faultsLeftIn(app))
  } finally {
    await app.app.close()
    process.off('unhandledRejection', stray).off('uncaughtException', stray)
  }
  return findings
}

function describe ({ body, spoil, ...shot }: Shot): string {
  const head = JSON.stringify({ ...shot, headers: shot.headers.map(([name, value]) => `${name}: ${value.slice(0, 200)}`) })
  return `${head} ${body?.toString('latin1').slice(0, 500)}${spoil === undefined ? '' : ` changed by ${String(spoil)}`}`
}
