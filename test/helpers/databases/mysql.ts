import { drizzle } from 'drizzle-orm/mysql2'
import { migrate } from 'drizzle-orm/mysql2/migrator'
import { createPool, type Pool, type PoolOptions } from 'mysql2/promise'
import { randomBytes, randomUUID } from 'node:crypto'
import { migrations } from '../../../src/storage/drizzle/mysql/adapter.ts'
import type { BoundAttempt, NewChallenge, Session } from '../../../src/storage/contract.ts'

export const mysqlUrl = process.env['TEST_MYSQL_URL']

export interface TestDatabase {
  url: string
  /** Each call creates a new pool, which is closed with the database. */
  pool (options?: PoolOptions): Pool
  close (): Promise<void>
}

/** Creates a database with our tables on the server of `TEST_MYSQL_URL`. The user of that URL must be allowed to create databases. */
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
  // This default collation treats many different texts as equal. The adapter must not depend on it.
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

/** A pool in which each new connection first runs this statement. */
export function withSetup (pool: Pool, statement: string): Pool {
  pool.pool.on('connection', (connection) => { connection.query(statement) })
  return pool
}

export function newChallenge (challenge: Partial<NewChallenge> = {}): NewChallenge {
  return {
    id: randomUUID(), emailHash: 'emailHash', codeMac: 'mac', codeLength: 6, expiresAt: Date.now() + 600_000, deviceKey: null, ...challenge
  }
}

export function attempt (challenge: { id?: string, emailHash: string, codeMac: string }): BoundAttempt {
  return { id: challenge.id ?? '', emailHash: challenge.emailHash, macs: [challenge.codeMac], codeLength: 6, maxAttempts: 5, now: Date.now() }
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
