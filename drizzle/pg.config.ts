import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/storage/drizzle/pg/schema.ts',
  out: './drizzle/pg'
})
