import t from 'tap'
import { storageConformance } from '../../src/storage/conformance.ts'
import { openLibsql } from './libsql-database.ts'

storageConformance({
  test: (name, run) => { t.test(name, run) },
  open: openLibsql
})
