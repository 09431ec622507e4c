import t from 'tap'
import { attack } from './attacks/all.ts'
import { crashInLogin, crashInTraffic } from './attacks/crashes.ts'
import { firstSignIns, manyCodes } from './attacks/sessions.ts'
import { startCluster } from './cluster.ts'
import { freshDatabase, skipWithoutServer, type ServerKind } from './databases.ts'
import { fullSizes } from './target.ts'

/** The races of `races-processes.test.ts` on a database server; a file for each, for together they take minutes. */
export function raceOn (kind: ServerKind, sizes = fullSizes): void {
  const skip = skipWithoutServer(kind)

  t.test('from four processes on one database', { skip }, async (t) => {
    const cluster = await startCluster(t, 4, { store: await freshDatabase(t, kind) }, sizes)
    await attack(t, cluster)
    await t.test('a server that dies in traffic: the others go on, and no code opens twice', (t) => crashInTraffic(t, cluster, 3, [0, 1, 2]))
    await t.test('a server that dies in a login: its code is dead, a new one works', (t) => crashInLogin(t, cluster, 2, [0, 1]))
  })

  t.test(`${sizes.parallel / 2} first sign-ins of one address at once make one user, and every session lives`, { skip }, async (t) => {
    await firstSignIns(t, await startCluster(t, 4, { store: await freshDatabase(t, kind), options: manyCodes, clock: 'running' }, sizes))
  })
}
