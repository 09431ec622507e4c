import { drizzle } from 'drizzle-orm/mysql2'
import { migrate } from 'drizzle-orm/mysql2/migrator'
import { createPool, type Pool, type PoolOptions } from 'mysql2/promise'
import { randomBytes, randomUUID } from 'node:crypto'
import { migrations } from '../../src/storage/drizzle/mysql/adapter.ts'
import type { BoundGuess, NewChallenge, Session } from '../../src/storage/storage.ts'

export const mysqlUrl = process.env['TEST_MYSQL_URL']

export interface TestDatabase {
  url: string
  /** A pool of its own at each call, closed with the database. */
  pool (options?: PoolOptions): Pool
  close (): Promise<void>
}

/** A fresh database on the server of `TEST_MYSQL_URL`, with our migrations run; its user must be allowed to make one. */
export async function createDatabase (): Promise<TestDatabase> {
  const name = `otp_auth_test_${randomBytes(6).toString('hex')}`
  const pools: Pool[] = []
  const url = Object.assign(new URL(mysqlUrl!), { pathname: name }).href
  const pool = (options: PoolOptions = {}): Pool => {
    const made = createPool({ uri: url, connectionLimit: 5, ...options })
    pools.push(made)
    return made
  }
  const server = createPool({ uri: mysqlUrl!, connectionLimit: 1 })
  // A default collation that folds as much as any: nothing of ours may lean on the database's.
  await server.query(`create database ${name} character set utf8mb4 collate utf8mb4_general_ci`)
  await migrate(drizzle(pool()), migrations)
  return {
    url,
    pool,
    async close () {
      await Promise.all(pools.map((each) => each.end()))
      await server.query(`drop database ${name}`)
      await server.end()
    }
  }
}

/** A pool whose every connection first runs a statement. */
export function withSetup (pool: Pool, statement: string): Pool {
  pool.pool.on('connection', (connection) => { connection.query(statement) })
  return pool
}

export function newChallenge (challenge: Partial<NewChallenge> = {}): NewChallenge {
  return {
    id: randomUUID(), subject: 'subject', codeMac: 'mac', codeLength: 6, expiresAt: Date.now() + 600_000, deviceKey: null, ...challenge
  }
}

export function guess (challenge: { id?: string, subject: string, codeMac: string }): BoundGuess {
  return { id: challenge.id ?? '', subject: challenge.subject, macs: [challenge.codeMac], codeLength: 6, maxAttempts: 5, now: Date.now() }
}

export function newSession (session: Partial<Session> = {}): Session {
  const now = Date.now()
  return {
    id: randomUUID(),
    userId: 'nobody',
    seq: 0,
    rotatedAt: null,
    createdAt: now,
    idleExpiresAt: now + 600_000,
    expiresAt: now + 900_000,
    revokedAt: null,
    ...session
  }
}
