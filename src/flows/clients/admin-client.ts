import type { Keyring } from '../../crypto/keyring.ts'
import { randomBytes } from '../../crypto/random.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import { type ClientRegistration, DEFAULT_CLIENT_CONFIG } from '../../domain/client.ts'
import { clientId, type EpochMs, type RawToken } from '../../domain/ids.ts'
import { PERMISSIONS } from '../../domain/scopes.ts'
import type { TransactionStores } from '../../stores/contract.ts'
import { drawClientSecret } from './client-secret.ts'
import { draftClient, type RegisteredClient, registrationEvent, storeRegisteredClient } from './register-client.ts'

/** What a client that administers QScope is registered as: it mints tokens with every permission. */
export function adminRegistration(id: string): ClientRegistration {
  return Object.freeze<ClientRegistration>({
    clientId: clientId(id),
    displayName: 'QScope administration',
    type: 'confidential',
    authenticationMethod: 'client_secret',
    grantTypes: ['client_credentials'],
    redirectUris: [],
    scopes: PERMISSIONS,
    audiences: [],
    resourceAudiences: [],
    config: DEFAULT_CLIENT_CONFIG,
  })
}

/** An id for a client that was registered without one. */
export function drawClientId(): string {
  return `client-${randomBytes(10).toString('hex')}`
}

/** The first administrator, drawn but not stored yet. */
export interface AdminClient {
  readonly registered: RegisteredClient
  readonly secret: RawToken
  readonly event: AuditEvent
}

/** Draws an administration client outside any call, for the first set-up. */
export function drawAdminClient(by: { readonly keyring: Keyring; readonly now: EpochMs; readonly rayId: string }, id = 'admin'): AdminClient {
  const ctx = { ...by, caller: { kind: 'operator' } as const, peer: 'local', services: { keyring: by.keyring } }
  const client = draftClient(ctx, adminRegistration(id))
  const secret = drawClientSecret(ctx, client.clientId)
  return { registered: { client, secret }, secret: secret.value, event: registrationEvent(ctx, client) }
}

/** Stores it within a transaction: the one that makes the schema, so that neither is ever there without the other. */
export async function storeAdminClient(stores: TransactionStores, { registered, event }: AdminClient): Promise<void> {
  if (!(await storeRegisteredClient(stores, registered, event))) throw new Error('the database already has such a client')
}
