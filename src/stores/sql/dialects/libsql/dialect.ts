import type { Dialect } from '../../core/dialect.ts'
import { embeddedDialect } from '../sqlite/embedded-dialect.ts'
import { libsqlLibrary } from './library.ts'

/** libSQL in a file: another library for the behaviour, format and schema of SQLite. */
export const libsql: Dialect = embeddedDialect('libsql', 'libSQL, of SQLite', libsqlLibrary)
