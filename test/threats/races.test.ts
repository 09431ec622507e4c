import t from 'tap'
import { attack } from '../helpers/attacks/all.ts'
import { firstSignIns, manyCodes } from '../helpers/attacks/sessions.ts'
import { oneProcess } from '../helpers/target.ts'

t.test('in one process', async (t) => {
  await attack(t, await oneProcess(t))
})

t.test('100 first sign-ins of one address at once make one user, and every session lives', async (t) => {
  await firstSignIns(t, await oneProcess(t, { options: manyCodes, clock: 'running' }))
})
