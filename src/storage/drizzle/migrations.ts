import { fileURLToPath } from 'node:url'

/** The folder of a dialect's shipped migrations, and the table in which Drizzle records them, apart from the application's own. */
export function shippedMigrations (dialect: 'sqlite' | 'pg' | 'mysql') {
  return Object.freeze({
    migrationsFolder: fileURLToPath(new URL(`../../../drizzle/${dialect}`, import.meta.url)),
    migrationsTable: '__otp_auth_migrations'
  })
}
