const { createRequire } = require('node:module')
const Database = createRequire(require.resolve('@libsql/client'))('libsql')

/** Replaces the `get` of libsql, which ignores `pluck` and adds the run time to each row. */
module.exports = class extends Database {
  prepare (sql) {
    const statement = super.prepare(sql)
    statement.get = (...values) => statement.all(...values)[0]
    return statement
  }
}
