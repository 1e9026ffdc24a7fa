import type { Kysely } from 'kysely'
import type { Dialect, Statement } from './dialect.ts'
import { kyselyOver } from './kysely.ts'

/** Writes down what is to be run on a database, without one. */
export async function recordStatements(
  dialect: Pick<Dialect, 'kysely'>,
  write: (db: Kysely<unknown>) => Promise<void>,
): Promise<readonly Statement[]> {
  const statements: Statement[] = []
  const recorder = kyselyOver<unknown>(dialect.kysely, async ({ sql, parameters }) => {
    statements.push({ sql, parameters })
    return { rows: [], affected: 0 }
  })
  await write(recorder)
  return statements
}
