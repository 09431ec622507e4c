import t from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { skipWithout } from '../helpers/requirements.ts'
import { MongodbServer } from '../helpers/databases/mongodb.ts'
import { applicationCases } from '../helpers/adapter-cases/mongodb-application.ts'
import { serverCases } from '../helpers/adapter-cases/mongodb-server.ts'

const url = process.env['TEST_MONGODB_URL']

if (url === undefined) {
  t.test('MongoDB', { skip: skipWithout('TEST_MONGODB_URL') }, async () => {})
} else {
  const server = new MongodbServer(url)
  t.teardown(() => server.end())

  applicationCases(t, server)
  serverCases(t, server, url)
  t.test('the adapter keeps the storage contract', async (t) => {
    storageConformance({
      test: (name, run) => { t.test(name, run) },
      open: () => server.open(),
      // The test server in place of a real MongoDB is slow when many inserts conflict.
      parallel: 20
    })
  })
}
