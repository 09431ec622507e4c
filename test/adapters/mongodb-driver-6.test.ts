import { createRequire, register } from 'node:module'
import t from 'tap'
import { storageConformance } from '../../src/conformance/index.ts'
import { buildApp } from '../helpers/app.ts'
import { skipWithout } from '../helpers/requirements.ts'

const driver6 = "export const resolve = (name, context, next) => next(name === 'mongodb' ? 'mongodb-6' : name, context)"
const url = process.env['TEST_MONGODB_URL']

if (url === undefined) {
  t.test('MongoDB with version 6 of the driver', { skip: skipWithout('TEST_MONGODB_URL') }, async () => {})
} else {
  // From here on, `mongodb` is version 6, as in an application that installed that version. This includes the adapter, which
  // must create its ObjectIds with the driver of the application.
  register(`data:text/javascript,${encodeURIComponent(driver6)}`)
  const { MongodbServer } = await import('../helpers/databases/mongodb.ts')
  const server = new MongodbServer(url)
  t.teardown(() => server.end())

  t.test('the driver in use is version 6', async (t) => {
    t.match(createRequire(import.meta.url)('mongodb-6/package.json').version, /^6\./)
    t.ok(server.clients[0] instanceof (await import('mongodb-6')).MongoClient)
  })

  t.test('an application starts and a user logs in, with an ID that the driver created', async (t) => {
    const { db, storages: [storage], close } = await server.open()
    t.teardown(close)
    const { browser, codeFor } = await buildApp(t, { storage: storage! })
    const anna = browser()
    const token = await anna.login('anna@example.com', codeFor)
    const { _id } = (await db.collection('otp_users').findOne({ email: 'anna@example.com' }))!
    t.equal(_id.constructor.name, 'ObjectId')
    t.match(await anna.get('/me', token), { status: 200, body: { id: String(_id), email: 'anna@example.com', isVerified: true } })
    t.match(await anna.refresh(), { status: 200 })
    t.match(await anna.logout(), { status: 200 })
    t.match(await anna.get('/me', token), { status: 401 })
  })

  t.test('the adapter keeps the storage contract', async (t) => {
    storageConformance({ test: (name, run) => { t.test(name, run) }, open: () => server.open(), parallel: 12 })
  })
}
