import type { Config } from '../config/config.ts'
import { backgroundContext, type Caller, type Logger } from '../context.ts'
import { ActiveAuditSeal } from '../crypto/audit-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { uuidV7 } from '../crypto/random.ts'
import { type ClientRegistration, DEFAULT_CLIENT_CONFIG } from '../domain/client.ts'
import { clientId, epochMs } from '../domain/ids.ts'
import { PERMISSIONS } from '../domain/scopes.ts'
import { drawClientSecret } from '../flows/clients/client-secrets.ts'
import { draftClient, registrationEvent, storeRegisteredClient } from '../flows/clients/register-client.ts'
import type { TransactionStores } from '../stores/contract/backend.ts'
import type { Seed } from '../stores/contract/migrations.ts'
import type { App } from './app.ts'
import { openConfiguredMigrations } from './database.ts'

export type DatabaseSetup =
  /** The database was not empty, or is on a server. It is unchanged. */
  | { readonly created: false }
  /** It contains `admin`, if one was requested. */
  | { readonly created: true; readonly admin: FirstAdmin | null }

/** Creates the schema in an empty embedded database, with its first admin client if requested. */
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

/** An in-memory database is new in every process and already has its schema. */
export async function seedInMemory(app: App, log: Logger): Promise<FirstAdmin> {
  const admin = new FirstAdmin(app.keyring)
  await app.backend.transaction(backgroundContext('database-setup', log), async (stores) => {
    await admin.store(stores)
    return { commit: true, value: null }
  })
  return admin
}

/** The rows that a migration writes into a database that has never had a client. */
export function seedOf(admin: FirstAdmin, keyring: Keyring): Seed {
  return { seal: new ActiveAuditSeal(keyring), newId: uuidV7, fill: (stores) => admin.store(stores) }
}

const FIRST_ADMIN_ID = 'admin'
const OPERATOR: Caller = Object.freeze({ kind: 'operator' })

/** The first client of a new database. */
export class FirstAdmin {
  readonly clientId: string
  /** Shown once. */
  readonly clientSecret: string
  readonly #registration: Parameters<typeof storeRegisteredClient>[1]
  readonly #event: Parameters<typeof storeRegisteredClient>[2]

  /** Generates the client's secret. */
  constructor(keyring: Keyring) {
    const ctx = { caller: OPERATOR, peer: 'local', now: epochMs(Date.now()), rayId: uuidV7(), services: { keyring } }
    const client = draftClient(ctx, adminRegistration())
    const secret = drawClientSecret(ctx, client.clientId)
    this.clientId = client.clientId
    this.clientSecret = secret.value
    this.#registration = { client, secret, importedSecrets: [] }
    this.#event = registrationEvent(ctx, client)
  }

  /** Stores the client in the transaction that creates the tables, or in its own. */
  async store(stores: TransactionStores): Promise<void> {
    const stored = await storeRegisteredClient(stores, this.#registration, this.#event)
    if (!stored) throw new Error('the new database already has an admin client')
  }
}

/** The registration of a client that administers QScope: it mints tokens with every permission. */
function adminRegistration(): ClientRegistration {
  return Object.freeze<ClientRegistration>({
    clientId: clientId(FIRST_ADMIN_ID),
    displayName: 'QScope administration',
    type: 'confidential',
    authenticationMethod: 'client_secret',
    jwks: null,
    jwksUri: null,
    tlsClientSubject: null,
    federatedIdentities: [],
    grantTypes: ['client_credentials'],
    redirectUris: [],
    scopes: PERMISSIONS,
    audiences: [],
    resourceAudiences: [],
    config: DEFAULT_CLIENT_CONFIG,
    owner: null,
  })
}
