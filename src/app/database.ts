import { existsSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import type { Logger } from '../context.ts'
import { ActiveAuditSeal } from '../crypto/audit-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { jitter, uuidV7 } from '../crypto/random.ts'
import { RevocationKeys } from '../crypto/revocation-keys.ts'
import type { Backend } from '../stores/contract/backend.ts'
import type { Migrations } from '../stores/contract/migrations.ts'
import type { SchemaState } from '../stores/contract/schema-state.ts'
import type { StatementObserver } from '../stores/contract/statement-plans.ts'
import type { BackendOptions } from '../stores/open.ts'

/** The stores are loaded on demand, because most commands call a server and need none. */
const loadStores = () => import('../stores/open.ts')

/** Opens the configured database for serving. */
export async function openConfiguredBackend(
  { database, connections, maxQueuedCalls }: Config,
  log: Logger,
  keyring: Keyring,
  shared: Pick<BackendOptions, 'observer' | 'scheduler'> = {},
): Promise<Backend> {
  const parts = { ...sealedBy(keyring), log, newId: uuidV7, jitter, connections, maxQueuedCalls, ...shared }
  const { openBackend } = await loadStores()
  return await openBackend(database.url, parts)
}

/** The parts of a backend that use the keyring. */
function sealedBy(keyring: Keyring): Pick<BackendOptions, 'seal' | 'telling'> {
  return { seal: new ActiveAuditSeal(keyring), telling: new RevocationKeys(keyring) }
}

/** The same, but all changes are rolled back at the end. `statements` receives each statement. */
export async function openConfiguredRolledBack(
  { database, connections, maxQueuedCalls }: Config,
  log: Logger,
  keyring: Keyring,
  statements: StatementObserver,
): Promise<Backend> {
  const options = { ...sealedBy(keyring), log, newId: uuidV7, jitter, connections, maxQueuedCalls }
  const { openRolledBack } = await loadStores()
  return await openRolledBack(database.url, options, statements)
}

/** Opens the configured database to change its schema or to read its state. */
export async function openConfiguredMigrations({ database, connections }: Config, log: Logger): Promise<Migrations> {
  const { openMigrations } = await loadStores()
  return await openMigrations(database.url, log, connections)
}

/** The schema state of a database that does not exist yet. */
export async function absentSchemaState(): Promise<SchemaState> {
  const { absentSchema } = await loadStores()
  return absentSchema()
}

/** For commands: only `serve` and `migrate` create a database. Throws an error of one line if there is none. */
export function assertDatabaseExists({ database: { file } }: Config): void {
  if (file === null || existsSync(file)) return
  throw new Error(
    `there is no database at ${file}: create one with qscope serve or qscope migrate up, name another in QSCOPE_DATABASE_URL, or give --server to call a running server`,
  )
}
