/** The thread of the one connection that writes a file of SQLite. */
import { openBetterSqlite } from './library.ts'
import { serveWriter } from './serve-writer.ts'

serveWriter(openBetterSqlite)
