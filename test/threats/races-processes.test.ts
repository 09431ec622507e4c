import t from 'tap'
import { attack } from '../helpers/attacks/all.ts'
import { crashInLogin, crashInTraffic } from '../helpers/attacks/crashes.ts'
import { firstSignIns, manyCodes } from '../helpers/attacks/sessions.ts'
import { sqliteFile, startCluster } from '../helpers/cluster.ts'

t.test('from four processes on one database', async (t) => {
  const cluster = await startCluster(t, 4, { store: await sqliteFile(t) })
  await attack(t, cluster)
  await t.test('a server that dies in traffic: the others go on, and no code opens twice', (t) => crashInTraffic(t, cluster, 3, [0, 1, 2]))
  await t.test('a server that dies in a login: its code is dead, a new one works', (t) => crashInLogin(t, cluster, 2, [0, 1]))
})

t.test('100 first sign-ins of one address at once make one user, and every session lives', async (t) => {
  await firstSignIns(t, await startCluster(t, 4, { store: await sqliteFile(t), options: manyCodes, clock: 'running' }))
})
