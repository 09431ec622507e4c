import t from 'tap'
import { attack } from '../helpers/attacks/all.ts'
import { firstLogins, manyCodes } from '../helpers/attacks/sessions.ts'
import { oneProcess } from '../helpers/target.ts'

t.test('attacks on one process', async (t) => {
  await attack(t, await oneProcess(t))
})

t.test('100 parallel first logins with one email create one user, and every session works', async (t) => {
  await firstLogins(t, await oneProcess(t, { options: manyCodes, clock: 'running' }))
})
