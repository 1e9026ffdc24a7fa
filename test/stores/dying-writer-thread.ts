/** A writer thread that ends at its fourth commit: before it or, with `?after`, after it without an answer. */
import { openBetterSqlite } from '../../src/stores/sql/dialects/sqlite/library.ts'
import { serveWriter } from '../../src/stores/sql/dialects/sqlite/serve-writer.ts'

const LAST_COMMIT = 4

serveWriter((file, options) => {
  const database = openBetterSqlite(file, options)
  let commits = 0
  return {
    get inTransaction() {
      return database.inTransaction
    },
    pragma: (source) => database.pragma(source),
    close: () => database.close(),
    prepare: (sql) => {
      const statement = database.prepare(sql)
      if (sql !== 'commit') return statement
      return {
        reader: false,
        all: () => [],
        run: () => {
          commits += 1
          if (commits < LAST_COMMIT) return statement.run()
          if (import.meta.url.endsWith('?after')) statement.run()
          return process.exit(1)
        },
      }
    },
  }
})
