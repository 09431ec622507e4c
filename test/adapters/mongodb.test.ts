import t from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { skipWithout } from '../helpers/requirements.ts'
import { MongodbServer } from './mongodb-database.ts'
import { hostCases } from './mongodb-host.ts'
import { serverCases } from './mongodb-server.ts'

const url = process.env['TEST_MONGODB_URL']

if (url === undefined) {
  t.test('MongoDB', { skip: skipWithout('TEST_MONGODB_URL') }, async () => {})
} else {
  const server = new MongodbServer(url)
  t.teardown(() => server.end())

  hostCases(t, server)
  serverCases(t, server, url)
  t.test('keeps the storage contract', async (t) => {
    storageConformance({
      test: (name, run) => { t.test(name, run) },
      open: () => server.open(),
      // The server that stands in for a genuine one is slow where many inserts collide.
      parallel: 20
    })
  })
}
