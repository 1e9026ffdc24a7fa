/** The thread of a connection that only reads a file of SQLite. */
import { openBetterSqlite } from './library.ts'
import { serveScanner } from './serve-scanner.ts'

serveScanner(openBetterSqlite)
