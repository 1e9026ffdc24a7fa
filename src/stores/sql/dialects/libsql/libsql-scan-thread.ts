/** The thread of a connection that only reads a file of libSQL. */
import { serveScanner } from '../sqlite/serve-scanner.ts'
import { openLibsql } from './library.ts'

serveScanner(openLibsql)
