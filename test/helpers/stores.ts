import type { OtpAuthStorage } from '../../src/storage/contract.ts'

/** Which database, in words that can be handed to another process. */
export type StoreSpec =
  /** A file that several processes can open, or `:memory:`. */
  | { kind: 'sqlite', file: string }
  /** Tables are made; `timeout` is the adapter's option. */
  | { kind: 'pg' | 'mysql', url: string, timeout: number }
  | { kind: 'mongodb', url: string, database: string, timeout: number }

export type SpecOf<Kind extends StoreSpec['kind']> = Extract<StoreSpec, { kind: unknown }> & { kind: Kind }

/** A database with its tables made: the storage on it, and what a test counts past the storage contract. */
export interface Store {
  storage: OtpAuthStorage
  countUsers (email: string): Promise<number>
  /** All session rows of a user, ended ones too. */
  countSessions (userId: string): Promise<number>
  close (): Promise<void>
}

/** Only the driver in use is loaded: four processes on two cores feel each of them. */
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
