import type { PGlite } from '@electric-sql/pglite'
import type { Logger } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzleMysql } from 'drizzle-orm/mysql2'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite'
import type { RowDataPacket } from 'mysql2'
import type { Pool as MysqlPool } from 'mysql2/promise'
import type pg from 'pg'
import { drizzleStorage as mysqlStorage } from '../../../src/storage/drizzle/mysql/adapter.ts'
import { drizzleStorage as pgStorage } from '../../../src/storage/drizzle/pg/adapter.ts'
import { drizzleStorage as sqliteStorage } from '../../../src/storage/drizzle/sqlite/adapter.ts'
import { fill, statementsOf, type Access, type Explain } from './verbs.ts'
import type { connect } from '../databases/sqlite.ts'

export interface Statement { sql: string, params: unknown[] }

/** Records the statements that Drizzle sends, with their values. */
class Recorder implements Logger {
  readonly sent: Statement[] = []
  logQuery (sql: string, params: unknown[]) { this.sent.push({ sql, params }) }
}

type SqliteClient = ReturnType<typeof connect>['$client']

export function fillSqlite (client: SqliteClient): void {
  const numbers = (count: number) =>
    `(with recursive numbers (n) as (select 1 union all select n + 1 from numbers limit ${count}) select n from numbers)`
  for (const statement of fill(numbers, '"')) client.exec(statement)
}

export function sqliteStatements (client: SqliteClient) {
  const logger = new Recorder()
  return statementsOf(sqliteStorage(drizzleSqlite({ client, logger })), logger.sent)
}

export function explainSqlite (client: SqliteClient): Explain<Statement> {
  return async ({ sql, params }) =>
    client.prepare<unknown[], { detail: string }>(`explain query plan ${sql}`).all(...params).flatMap(({ detail }) => {
      const [, way, table] = /^(SCAN|SEARCH) (\S+)/.exec(detail) ?? []
      if (way === undefined) return []
      // SQLite creates an automatic index for one statement by a scan. A scan can also be one of a whole index.
      const entered = way === 'SEARCH' && !detail.includes('AUTOMATIC')
      return [{ table: table!, index: entered ? / USING (?:COVERING )?INDEX (\S+)/.exec(detail)?.[1] ?? 'primary key' : null }]
    })
}

type Run = (sql: string) => Promise<{ rows: unknown[] }>

export async function fillPg (run: Run, rows?: number): Promise<void> {
  for (const statement of fill((count) => `generate_series(1, ${count}) as n`, '"', rows)) await run(statement)
  await run('analyze')
}

/** A step in the output of `explain (format json)`. The steps below it are in `Plans`. */
interface PgNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Index Cond'?: string
  Plans?: PgNode[]
}

export function pgStatements (client: pg.Pool | PGlite) {
  const logger = new Recorder()
  const db = 'totalCount' in client ? drizzlePg({ client, logger }) : drizzlePGlite({ client, logger })
  return statementsOf(pgStorage(db), logger.sent)
}

/** PostgreSQL plans the first runs of a prepared statement for their values. Later it can use one plan for all values. */
export const pgPlans = ['force_custom_plan', 'force_generic_plan'] as const

/** @param run runs a statement, always on the same connection */
export function explainPg (run: Run, plans: typeof pgPlans[number]): Explain<Statement> {
  let prepared = 0
  return async ({ sql, params }) => {
    const name = `${plans}_${++prepared}`
    const values = params.length === 0 ? '' : `(${params.map(pgLiteral).join()})`
    await run(`set plan_cache_mode = ${plans}`)
    await run(`prepare ${name} as ${sql}`)
    const { rows: [row] } = await run(`explain (format json) execute ${name}${values}`)
    return accessesOf((row as { 'QUERY PLAN': [{ Plan: PgNode }] })['QUERY PLAN'][0].Plan)
  }
}

function pgLiteral (value: unknown): string {
  return value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`
}

function accessesOf (node: PgNode, table = node['Relation Name']): Access[] {
  const below = (node.Plans ?? []).flatMap((each) => accessesOf(each, each['Relation Name'] ?? table))
  // The index scan below creates the bitmap, and it does not name the table.
  if (!node['Node Type'].endsWith('Scan') || node['Node Type'] === 'Bitmap Heap Scan') return below
  // Without a condition, the whole index is read.
  return [{ table: table!, index: node['Index Cond'] === undefined ? null : node['Index Name']! }, ...below]
}

export async function fillMysql (pool: MysqlPool): Promise<void> {
  // This works in MySQL and MariaDB, unlike sequences, which only MariaDB has, and it has no limit, unlike recursion.
  const digits = 'select 0 as d union all select 1 union all select 2 union all select 3 union all select 4 union all select 5 union all select 6 union all select 7 union all select 8 union all select 9'
  const numbers = (count: number) => `(with digits as (${digits})
    select 1 + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d + 100000 * f.d as n
    from digits a, digits b, digits c, digits d, digits e, digits f where f.d < ${count / 100_000}) as numbers`
  for (const statement of fill(numbers, '`')) await pool.query(statement)
  await pool.query('analyze table otp_users, otp_challenges, otp_counters, otp_sessions')
}

export function mysqlStatements (pool: MysqlPool) {
  const logger = new Recorder()
  return statementsOf(mysqlStorage(drizzleMysql(pool, { logger })), logger.sent)
}

export function explainMysql (pool: MysqlPool): Explain<Statement> {
  return async ({ sql, params }) => {
    // An insert of values reads only the unique keys, but the server reports `ALL`.
    if (sql.startsWith('insert ')) return []
    const [plan] = await pool.query<RowDataPacket[]>(`explain ${sql}`, params)
    return plan.map(({ table, type, key }) => ({ table, index: type === 'ALL' || type === 'index' ? null : key }))
  }
}
