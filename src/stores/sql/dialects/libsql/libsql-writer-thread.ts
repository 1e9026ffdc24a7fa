/** The thread of the one connection that writes a file of libSQL. */
import { serveWriter } from '../sqlite/serve-writer.ts'
import { openLibsql } from './library.ts'

serveWriter(openLibsql)
