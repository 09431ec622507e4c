/** One server of a cluster: a process of its own that takes orders from the process that started it, and ends with it. */
import { buildRaceApp, type RaceSettings } from './race-app.ts'
import { stopOnOrder, type Stopped } from './stops.ts'
import type { RaceMail } from './target.ts'

export type FromServer = { port: number } | { mail: RaceMail } | { stopped: Stopped } | { done: number }

/** Answered by `done`, once everything that was mailed before is told and the clock is moved. */
export interface ToServer {
  order: number
  advance: number
}

const tell = (message: FromServer) => process.send!(message)
const settings = JSON.parse(process.argv[2]!) as RaceSettings

process.on('disconnect', () => process.exit())

const { app, advance } = await buildRaceApp(
  settings,
  ({ email, code, request }) => { tell({ mail: { email, code, ip: request.ip } }) },
  { wrap: (app, storage) => stopOnOrder(app, storage, (stopped) => tell({ stopped })) }
)
process.on('message', ({ order, advance: seconds }: ToServer) => {
  advance(seconds)
  tell({ done: order })
})
tell({ port: Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port) })
