import type { Dialect } from '../../core/dialect.ts'
import { embeddedDialect } from '../sqlite/embedded-dialect.ts'
import { libsqlLibrary } from './library.ts'

/** libSQL in a file: what SQLite does, by another library. Its format is SQLite's, and so is its schema. */
export const libsql: Dialect = embeddedDialect('libsql', 'libSQL, of SQLite', libsqlLibrary)
