import type { Migrations } from '../../src/stores/contract/migrations.ts'
import { openMigrations } from '../../src/stores/open.ts'
import { MIGRATIONS } from '../../src/stores/sql/migrate/steps/all.ts'
import type { MigrationStep } from '../../src/stores/sql/migrate/steps/migration-step.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'
import { quiet } from './given.ts'

/** Opens the schema like a version with these migrations, by default all. */
export async function onSchema<T>(
  database: Pick<FreshDatabase, 'url'>,
  work: (migrations: Migrations) => Promise<T>,
  steps: readonly MigrationStep[] = MIGRATIONS,
): Promise<T> {
  const migrations = await openMigrations(database.url, quiet, {}, steps)
  try {
    return await work(migrations)
  } finally {
    await migrations.close()
  }
}
