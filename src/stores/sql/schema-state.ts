import type { Kysely } from 'kysely'
import { MIGRATION_NAMES } from './migrations/all.ts'
import type { Database } from './schema.ts'

/** Where the schema of a database stands against what this server was built for. */
export interface SchemaState {
  readonly applied: readonly string[]
  /** Known here, not applied there: the schema is too old. */
  readonly pending: readonly string[]
  /** Applied there, not known here: the schema is too new. */
  readonly unknown: readonly string[]
}

export function schemaStateOf(applied: readonly string[]): SchemaState {
  return Object.freeze({
    applied,
    pending: MIGRATION_NAMES.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !MIGRATION_NAMES.includes(name)),
  })
}

/** The names of the migrations a database has seen, in order. The table must exist. */
export async function appliedMigrations(db: Kysely<Database>): Promise<readonly string[]> {
  const rows = await db.selectFrom('qscope_migrations').select('name').orderBy('name').execute()
  return rows.map((row) => row.name)
}

/** One line that says what to do, or `null` if the schema fits. */
export function schemaProblem({ pending, unknown }: SchemaState): string | null {
  if (unknown.length > 0) {
    return `the database schema is newer than this server (it has ${unknown.join(', ')}): run a newer server`
  }
  if (pending.length > 0) {
    return `the database schema is older than this server (it lacks ${pending.join(', ')}): run \`qscope migrate up\``
  }
  return null
}
