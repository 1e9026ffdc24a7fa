import type { Config } from '../config/config.ts'
import { backgroundContext, type Logger } from '../context.ts'
import { ActiveAuditSeal } from '../crypto/audit-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { uuidV7 } from '../crypto/random.ts'
import type { Seed } from '../stores/contract/migrations.ts'
import type { App } from './app.ts'
import { openConfiguredMigrations } from './database.ts'
import { FirstAdmin } from './first-admin.ts'

export type DatabaseSetup =
  /** The database had something in it, or is on a server: it is left as it is. */
  | { readonly created: false }
  /** `admin` is in it, if one was wanted. */
  | { readonly created: true; readonly admin: FirstAdmin | null }

/** Creates the schema in an embedded database that is still empty, together with its first admin client if wanted. */
export async function setUpDatabase(
  config: Config,
  log: Logger,
  keyring: Keyring,
  { withAdmin }: { readonly withAdmin: boolean },
): Promise<DatabaseSetup> {
  if (!config.database.embedded) return { created: false }
  const migrations = await openConfiguredMigrations(config, log)
  try {
    if (!(await migrations.isEmpty())) return { created: false }
    const admin = withAdmin ? new FirstAdmin(keyring) : null
    await migrations.up(admin === null ? {} : { seed: seedOf(admin, keyring) })
    return { created: true, admin }
  } finally {
    await migrations.close()
  }
}

/** A database in memory is new with every process, and has its schema from the start. */
export async function seedInMemory(app: App, log: Logger): Promise<FirstAdmin> {
  const admin = new FirstAdmin(app.keyring)
  await app.backend.transaction(backgroundContext('database-setup', log), async (stores) => {
    await admin.store(stores)
    return { commit: true, value: null }
  })
  return admin
}

/** What a migration writes into a database that has never had a client. */
export function seedOf(admin: FirstAdmin, keyring: Keyring): Seed {
  return { seal: new ActiveAuditSeal(keyring), newId: uuidV7, fill: (stores) => admin.store(stores) }
}
