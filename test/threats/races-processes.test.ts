import t from 'tap'
import { attack } from '../helpers/attacks/all.ts'
import { crashInLogin, crashInTraffic } from '../helpers/attacks/crashes.ts'
import { firstLogins, manyCodes } from '../helpers/attacks/sessions.ts'
import { sqliteFile, startCluster } from '../helpers/cluster.ts'

t.test('attacks on four processes with one database', async (t) => {
  const cluster = await startCluster(t, 4, { store: await sqliteFile(t) })
  await attack(t, cluster)
  await t.test('if a server dies during traffic, the others go on and no code opens two sessions', (t) => crashInTraffic(t, cluster, 3, [0, 1, 2]))
  await t.test('if a server dies during a login, its code is used up and a new code works', (t) => crashInLogin(t, cluster, 2, [0, 1]))
})

t.test('100 parallel first logins with one email create one user, and every session works', async (t) => {
  await firstLogins(t, await startCluster(t, 4, { store: await sqliteFile(t), options: manyCodes, clock: 'running' }))
})
