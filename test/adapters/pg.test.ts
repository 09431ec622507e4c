import t, { type Test } from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { skipWithout } from '../helpers/requirements.ts'
import { applicationCases } from '../helpers/adapter-cases/pg-application.ts'
import { handleCases, serverCases } from '../helpers/adapter-cases/pg-handles.ts'
import { nodePostgres, openEmpty, postgresJs, startPGlite, type TestPostgres } from '../helpers/databases/pg.ts'

const url = process.env['TEST_POSTGRES_URL']

t.test('PGlite', async (t) => {
  const server = await startPGlite()
  t.teardown(server.end)
  conformance(t, server, 30)
  applicationCases(t, server)
  handleCases(t, server)
})

for (const driver of url === undefined ? [] : [nodePostgres(url), postgresJs(url)]) {
  t.test(`PostgreSQL with ${driver.name}`, async (t) => {
    const server = await driver.start()
    t.teardown(server.end)
    conformance(t, server)
    applicationCases(t, server)
    serverCases(t, server, driver)
  })
}
if (url === undefined) t.test('PostgreSQL with node-postgres and postgres.js', { skip: skipWithout('TEST_POSTGRES_URL') }, () => {})

function conformance (t: Test, server: TestPostgres, parallel?: number) {
  t.test('the adapter keeps the storage contract', async (t) => {
    storageConformance({ test: (name, run) => { t.test(name, run) }, open: () => openEmpty(server), parallel })
  })
}
