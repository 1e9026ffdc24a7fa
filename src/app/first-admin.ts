import type { Caller } from '../context.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { uuidV7 } from '../crypto/random.ts'
import { type ClientRegistration, DEFAULT_CLIENT_CONFIG } from '../domain/client.ts'
import { clientId, epochMs } from '../domain/ids.ts'
import { PERMISSIONS } from '../domain/scopes.ts'
import { drawClientSecret } from '../flows/clients/client-secrets.ts'
import { draftClient, registrationEvent, storeRegisteredClient } from '../flows/clients/register-client.ts'
import type { TransactionStores } from '../stores/contract/backend.ts'

const FIRST_ADMIN_ID = 'admin'
const OPERATOR: Caller = Object.freeze({ kind: 'operator' })

/** The first client of a new database. */
export class FirstAdmin {
  readonly clientId: string
  /** Shown once. */
  readonly clientSecret: string
  readonly #registration: Parameters<typeof storeRegisteredClient>[1]
  readonly #event: Parameters<typeof storeRegisteredClient>[2]

  /** Draws the secret of the client. */
  constructor(keyring: Keyring) {
    const ctx = { caller: OPERATOR, peer: 'local', now: epochMs(Date.now()), rayId: uuidV7(), services: { keyring } }
    const client = draftClient(ctx, adminRegistration())
    const secret = drawClientSecret(ctx, client.clientId)
    this.clientId = client.clientId
    this.clientSecret = secret.value
    this.#registration = { client, secret }
    this.#event = registrationEvent(ctx, client)
  }

  /** Stores the client, in the transaction that creates the tables or in one of its own. */
  async store(stores: TransactionStores): Promise<void> {
    const stored = await storeRegisteredClient(stores, this.#registration, this.#event)
    if (!stored) throw new Error('the new database already has an admin client')
  }
}

/** What a client that administers QScope is registered as: it mints tokens with every permission. */
function adminRegistration(): ClientRegistration {
  return Object.freeze<ClientRegistration>({
    clientId: clientId(FIRST_ADMIN_ID),
    displayName: 'QScope administration',
    type: 'confidential',
    authenticationMethod: 'client_secret',
    jwks: null,
    tlsClientSubject: null,
    grantTypes: ['client_credentials'],
    redirectUris: [],
    scopes: PERMISSIONS,
    audiences: [],
    resourceAudiences: [],
    config: DEFAULT_CLIENT_CONFIG,
  })
}
