import type { Config } from '../config/config.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { uuidV7 } from '../crypto/random.ts'
import type { Logger } from '../logger.ts'
import { type App, sealOf, systemContext } from './app.ts'
import { drawFirstAdmin, type FirstAdmin } from './first-admin.ts'
import { openAppMigrations } from './open-migrations.ts'

export type SetUp =
  /** The database had something in it, or is on a server: untouched. */
  | { readonly created: false }
  /** `admin` is in it, if one was wanted. */
  | { readonly created: true; readonly admin: FirstAdmin | null }

/** Creates the schema in an embedded database that is still empty, together with its first admin client if wanted. */
export async function setUpDatabase(
  config: Config,
  log: Logger,
  keyring: Keyring,
  { withAdmin }: { readonly withAdmin: boolean },
): Promise<SetUp> {
  if (!config.database.embedded) return { created: false }
  const migrations = await openAppMigrations(config, log)
  try {
    if (!(await migrations.isEmpty())) return { created: false }
    const admin = withAdmin ? drawFirstAdmin(keyring) : null
    await migrations.up(admin === null ? {} : { seed: seedOf(admin, keyring) })
    return { created: true, admin }
  } finally {
    await migrations.close()
  }
}

/** A database in memory is new with every process, and has its schema from the start. */
export async function seedInMemory(app: App, log: Logger): Promise<FirstAdmin> {
  const admin = drawFirstAdmin(app.keyring)
  await app.backend.transaction(systemContext(log), async (stores) => {
    await admin.seed(stores)
    return { commit: true, value: null }
  })
  return admin
}

/** What a migration plants in a database that has never had a client. */
export function seedOf(admin: FirstAdmin, keyring: Keyring) {
  return { seal: sealOf(keyring), newId: uuidV7, fill: admin.seed }
}
