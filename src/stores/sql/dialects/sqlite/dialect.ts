import type { Dialect } from '../../core/dialect.ts'
import { embeddedDialect } from './embedded-dialect.ts'
import { betterSqlite } from './library.ts'

/** SQLite, in a file or in memory. */
export const sqlite: Dialect = embeddedDialect('sqlite', 'SQLite', betterSqlite)
