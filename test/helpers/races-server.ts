import t from 'tap'
import { attack } from './attacks/all.ts'
import { crashInLogin, crashInTraffic } from './attacks/crashes.ts'
import { firstLogins, manyCodes } from './attacks/sessions.ts'
import { startCluster } from './cluster.ts'
import { freshDatabase, skipWithoutServer, type ServerKind } from './databases.ts'
import { fullSizes } from './target.ts'

/** The races of `races-processes.test.ts` on a database server. Each server has its own file, because together they take minutes. */
export function raceOn (kind: ServerKind, sizes = fullSizes): void {
  const skip = skipWithoutServer(kind)

  t.test('attacks on four processes with one database', { skip }, async (t) => {
    const cluster = await startCluster(t, 4, { store: await freshDatabase(t, kind) }, sizes)
    await attack(t, cluster)
    await t.test('if a server dies during traffic, the others go on and no code opens two sessions', (t) => crashInTraffic(t, cluster, 3, [0, 1, 2]))
    await t.test('if a server dies during a login, its code is used up and a new code works', (t) => crashInLogin(t, cluster, 2, [0, 1]))
  })

  t.test(`${sizes.parallel / 2} parallel first logins with one email create one user, and every session works`, { skip }, async (t) => {
    await firstLogins(t, await startCluster(t, 4, { store: await freshDatabase(t, kind), options: manyCodes, clock: 'running' }, sizes))
  })
}
