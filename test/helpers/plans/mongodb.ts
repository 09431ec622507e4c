import { randomUUID } from 'node:crypto'
import { MongoClient, type CommandStartedEvent, type Db, type Document } from 'mongodb'
import { mongodbStorage } from '../../../src/storage/mongodb/adapter.ts'
import { statementsOf, type Access, type Explain } from './verbs.ts'

/** An empty database with our indexes, and the commands that the driver sends for each storage call. */
export async function openMongodb (url: string) {
  const client = new MongoClient(url, { monitorCommands: true, serverSelectionTimeoutMS: 5000 })
  const db = client.db(`otp_auth_${randomUUID()}`)
  const storage = mongodbStorage(db)
  await storage.ensureIndexes()
  const sent: Document[] = []
  client.on('commandStarted', ({ commandName, command }: CommandStartedEvent) => {
    sent.push({ ...command, name: commandName, collection: command[commandName] })
  })
  const commands = await statementsOf(storage, sent)
  return {
    db,
    commands,
    async close () {
      await db.dropDatabase()
      await client.close()
    }
  }
}

/**
 * Compares the filter of a command with the indexes that `ensureIndexes` created. It does not use `explain`: the `explain` of the
 * test server, in place of a real MongoDB, leaves out the filters of updates and deletes, and reports a collection scan for every
 * filter with more than one field.
 */
export function explainMongodb (db: Db): Explain<Document> {
  return async (command) => await Promise.all(filtersOf(command).map((filter) => accessBy(db, command['collection'], filter)))
}

function filtersOf (command: Document): Document[] {
  switch (command['name']) {
    case 'insert': return []
    case 'find': return [command['filter']]
    case 'findAndModify': return [command['query']]
    case 'update': return command['updates'].map(({ q }: Document) => q)
    case 'delete': return command['deletes'].map(({ q }: Document) => q)
    default: throw new Error(`${command['name']} is a command that this test does not support`)
  }
}

/** Finds an index whose first field the filter compares with values, or else one whose first field it limits to a range. */
async function accessBy (db: Db, table: string, filter: Document): Promise<Access> {
  const indexes = (await db.collection(table).indexes()).map(({ name, key }) => ({ name: name!, condition: filter[Object.keys(key)[0]!] }))
  const index = indexes.find(({ condition }) => isEquality(condition)) ?? indexes.find(({ condition }) => isRange(condition))
  return { table, index: index?.name ?? null }
}

function isEquality (condition: unknown): boolean {
  if (condition === undefined || condition === null) return false
  const operators = operatorsOf(condition)
  return operators.length === 0 || operators.includes('$eq') || operators.includes('$in')
}

function isRange (condition: unknown): boolean {
  return operatorsOf(condition).some((operator) => ['$lt', '$lte', '$gt', '$gte'].includes(operator))
}

function operatorsOf (condition: unknown): string[] {
  return condition === undefined || condition === null ? [] : Object.keys(condition).filter((key) => key.startsWith('$'))
}
