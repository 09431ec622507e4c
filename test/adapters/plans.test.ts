import type pg from 'pg'
import t from 'tap'
import { skipWithout } from '../helpers/requirements.ts'
import { createDatabase } from '../helpers/databases/mysql.ts'
import { nodePostgres, startPGlite } from '../helpers/databases/pg.ts'
import {
  explainMysql, explainPg, explainSqlite, fillMysql, fillPg, fillSqlite, mysqlStatements, pgPlans, pgStatements, sqliteStatements
} from '../helpers/plans/drizzle.ts'
import { explainMongodb, openMongodb } from '../helpers/plans/mongodb.ts'
import { checkPlans } from '../helpers/plans/verbs.ts'
import { openSqlite } from '../helpers/databases/sqlite.ts'

const postgresUrl = process.env['TEST_POSTGRES_URL']
const mongodbUrl = process.env['TEST_MONGODB_URL']

t.test('SQLite scans no table of 200,000 rows', async (t) => {
  const { databases: [db], close } = await openSqlite(1)
  t.teardown(close)
  const { $client: client } = db!
  fillSqlite(client)
  const statements = await sqliteStatements(client)
  // SQLite has no statistics until an application runs `analyze`.
  await t.test('without statistics', (t) => checkPlans(t, statements, explainSqlite(client)))
  client.exec('analyze')
  await t.test('with statistics', (t) => checkPlans(t, statements, explainSqlite(client)))
})

// With ten times as many rows, PGlite would take most of a minute.
t.test('PGlite scans no table of 20,000 rows', async (t) => {
  const { client, end } = await startPGlite()
  t.teardown(end)
  const run = (sql: string) => client.query(sql)
  await fillPg(run, 20_000)
  const statements = await pgStatements(client)
  for (const plans of pgPlans) await t.test(plans, (t) => checkPlans(t, statements, explainPg(run, plans)))
})

t.test('PostgreSQL scans no table of 200,000 rows', { skip: skipWithout('TEST_POSTGRES_URL') }, async (t) => {
  const { handles: [db], end } = await nodePostgres(postgresUrl!).start()
  const pool = (db as unknown as { $client: pg.Pool }).$client
  const connection = await pool.connect()
  t.teardown(async () => { connection.release(); await end() })
  const run = (sql: string) => connection.query(sql)
  await fillPg(run)
  const statements = await pgStatements(pool)
  for (const plans of pgPlans) await t.test(plans, (t) => checkPlans(t, statements, explainPg(run, plans)))
})

t.test('MySQL and MariaDB scan no table of 200,000 rows', { skip: skipWithout('TEST_MYSQL_URL') }, async (t) => {
  const database = await createDatabase()
  t.teardown(database.close)
  const pool = database.pool()
  await fillMysql(pool)
  await checkPlans(t, await mysqlStatements(pool), explainMysql(pool))
})

t.test('MongoDB has an index for every filter', { skip: skipWithout('TEST_MONGODB_URL') }, async (t) => {
  const { db, commands, close } = await openMongodb(mongodbUrl!)
  t.teardown(close)
  await checkPlans(t, commands, explainMongodb(db))
})
