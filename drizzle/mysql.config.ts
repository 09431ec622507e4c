import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'mysql',
  schema: './src/storage/drizzle/mysql/schema.ts',
  out: './drizzle/mysql'
})
