import type { Config } from '../config/config.ts'
import type { Logger } from '../logger.ts'
import type { Migrations } from '../stores/contract/migrations.ts'
import { openMigrations } from '../stores/open.ts'

/** Opens the configured database to change its schema, or to ask where it stands. */
export async function openAppMigrations({ database, connections }: Config, log: Logger): Promise<Migrations> {
  return await openMigrations(database.url, log, connections)
}
