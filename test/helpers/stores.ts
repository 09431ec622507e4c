import type { OtpAuthStorage } from '../../src/storage/contract.ts'

/** Describes a database. It can be sent to another process as JSON. */
export type StoreSpec =
  /** A file that several processes can open, or `:memory:`. */
  | { kind: 'sqlite', file: string }
  /** The tables exist already. `timeout` is the option of the adapter. */
  | { kind: 'pg' | 'mysql', url: string, timeout: number }
  | { kind: 'mongodb', url: string, database: string, timeout: number }

export type SpecOf<Kind extends StoreSpec['kind']> = Extract<StoreSpec, { kind: unknown }> & { kind: Kind }

/** A database with its tables: the storage on it, and counts that the storage contract does not offer. */
export interface Store {
  storage: OtpAuthStorage
  countUsers (email: string): Promise<number>
  /** Counts all sessions of a user, including ended ones. */
  countSessions (userId: string): Promise<number>
  close (): Promise<void>
}

/** Only the driver in use is loaded, because each driver slows down the start of every process. */
const kinds: { [Kind in StoreSpec['kind']]: () => Promise<{ openStore (spec: SpecOf<Kind>): Promise<Store> }> } = {
  sqlite: () => import('./stores/sqlite.ts'),
  pg: () => import('./stores/pg.ts'),
  mysql: () => import('./stores/mysql.ts'),
  mongodb: () => import('./stores/mongodb.ts')
}

export async function openStore (spec: StoreSpec): Promise<Store> {
  const { openStore } = await kinds[spec.kind]() as { openStore (spec: StoreSpec): Promise<Store> }
  return await openStore(spec)
}
