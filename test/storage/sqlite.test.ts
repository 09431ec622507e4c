import t from 'tap'
import { storageConformance } from '../../src/storage/conformance.ts'
import { openSqlite } from './sqlite-database.ts'

storageConformance({
  test: (name, run) => { t.test(name, run) },
  open: openSqlite
})
