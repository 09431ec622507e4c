/** One server of a cluster, in its own process. It takes orders from the process that started it, and ends with it. */
import { buildRaceApp, type RaceSettings } from './race-app.ts'
import { stopOnOrder, type Stopped } from './stops.ts'
import type { RaceEmail } from './target.ts'

export type FromServer = { port: number } | { email: RaceEmail } | { stopped: Stopped } | { done: number }

/** The server replies with `done` after it has reported all earlier emails and moved the clock. */
export interface ToServer {
  order: number
  advance: number
}

const tell = (message: FromServer) => process.send!(message)
const settings = JSON.parse(process.argv[2]!) as RaceSettings

process.on('disconnect', () => process.exit())

const { app, advance } = await buildRaceApp(
  settings,
  ({ email, code, request }) => { tell({ email: { email, code, ip: request.ip } }) },
  { wrap: (app, storage) => stopOnOrder(app, storage, (stopped) => tell({ stopped })) }
)
process.on('message', ({ order, advance: seconds }: ToServer) => {
  advance(seconds)
  tell({ done: order })
})
tell({ port: Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port) })
