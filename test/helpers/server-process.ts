/** One server of a cluster: a process of its own that takes orders from the process that started it, and ends with it. */
import { buildRaceApp, type RaceSettings } from './race-app.ts'
import type { RaceMail } from './target.ts'

export interface ServerStart {
  settings: RaceSettings
  /** A login of this address is never answered: the server stops between the use of the code and the session. */
  stuckAt: string
}

export type FromServer = { port: number } | { mail: RaceMail } | { stuck: true } | { done: number }

/** Answered by `done`, once everything that was mailed before is told and the clock is moved. */
export interface ToServer {
  order: number
  advance: number
}

const tell = (message: FromServer) => process.send!(message)
const { settings, stuckAt } = JSON.parse(process.argv[2]!) as ServerStart

process.on('disconnect', () => process.exit())

const { app, advance } = await buildRaceApp(settings, {
  sendOtp: ({ email, code, request }) => { tell({ mail: { email, code, ip: request.ip } }) },
  getAdditionalClaims: async ({ user }) => {
    if (user.email === stuckAt) {
      tell({ stuck: true })
      await new Promise(() => {})
    }
    return {}
  }
})
process.on('message', ({ order, advance: seconds }: ToServer) => {
  advance(seconds)
  tell({ done: order })
})
tell({ port: Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port) })
