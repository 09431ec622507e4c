import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'sqlite',
  schema: './src/storage/drizzle/sqlite/schema.ts',
  out: './drizzle/sqlite'
})
