const { createRequire } = require('node:module')
const Database = createRequire(require.resolve('@libsql/client'))('libsql')

/** libsql's own `get` knows nothing of `pluck`, and adds how long it took to each row. */
module.exports = class extends Database {
  prepare (sql) {
    const statement = super.prepare(sql)
    statement.get = (...values) => statement.all(...values)[0]
    return statement
  }
}
