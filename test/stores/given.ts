/** What the tests of stores are given: values, contexts, an opened backend. */

import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { jitter, randomBytes, uuidV7 } from '../../src/crypto/random.ts'
import type { AccessToken } from '../../src/domain/access-token.ts'
import type { AuditEvent } from '../../src/domain/audit-event.ts'
import { type ClientRegistration, DEFAULT_CLIENT_CONFIG } from '../../src/domain/client.ts'
import type { ClientSecret } from '../../src/domain/client-secret.ts'
import {
  auditEventId,
  clientId,
  epochMs,
  keyId,
  type SecretHash,
  secretId,
  type TokenHash,
  tokenId,
} from '../../src/domain/ids.ts'
import type { AuditSeal, Backend, Change, StoreContext, TransactionStores } from '../../src/stores/contract.ts'
import { type BackendOptions, openBackend, openMigrations } from '../../src/stores/open.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'

const nothing = () => undefined
export const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing }

const keyring = new Keyring(drawKeyMaterial())
export const seal: AuditSeal = {
  keyId: keyring.active('audit'),
  hash: (previous, writerId, sequence, event) =>
    keyring.auditHash(keyring.active('audit'), previous, writerId, sequence, event),
}
export const options: BackendOptions = { seal, log: quiet, newId: uuidV7, jitter }

export const NOW = epochMs(1_800_000_000_000)
export const change: Change = { at: NOW, by: 'operator:test' }

export function context(over: Partial<StoreContext> = {}): StoreContext {
  return { signal: new AbortController().signal, deadline: null, log: quiet, rayId: 'ray', now: NOW, ...over }
}

/** A context whose signal must not be looked at. */
export function contextWithoutSignal(): StoreContext {
  return Object.defineProperty({ ...context() }, 'signal', {
    get: () => {
      throw new Error('the signal was read')
    },
  })
}

export async function openMigrated(database: FreshDatabase): Promise<Backend> {
  const migrations = await openMigrations(database.url, quiet)
  await migrations.up()
  await migrations.close()
  return await openBackend(database.url, options)
}

export function aClient(id: string, over: Partial<ClientRegistration> = {}): ClientRegistration {
  return {
    clientId: clientId(id),
    displayName: `Client ${id}`,
    type: 'confidential',
    authenticationMethod: 'client_secret',
    grantTypes: ['client_credentials'],
    redirectUris: ['https://app.example/callback'],
    scopes: ['read', 'write'],
    audiences: ['orders'],
    resourceAudiences: [],
    config: { ...DEFAULT_CLIENT_CONFIG, metadata: { team: 'blue' } },
    ...over,
  }
}

export function aToken(client: string, over: Partial<AccessToken> = {}): AccessToken {
  return {
    tokenId: tokenId(uuidV7()),
    hash: randomBytes(32) as TokenHash,
    clientId: clientId(client),
    userId: null,
    grantId: null,
    scopes: ['read'],
    audiences: ['orders'],
    clientGeneration: 1,
    issuedAt: NOW,
    expiresAt: epochMs(NOW + 3_600_000),
    revokedAt: null,
    rayId: 'ray',
    ...over,
  }
}

export function aSecret(client: string, over: Partial<ClientSecret> = {}): ClientSecret {
  return {
    secretId: secretId(uuidV7()),
    clientId: clientId(client),
    keyId: keyId('pepper-1'),
    hash: randomBytes(32) as SecretHash,
    createdAt: NOW,
    createdBy: 'operator:test',
    expiresAt: null,
    lastUsedAt: null,
    ...over,
  }
}

export function anEvent(over: Partial<AuditEvent> = {}): AuditEvent {
  return {
    eventId: auditEventId(uuidV7()),
    type: 'token.issued',
    rayId: 'ray',
    clientId: clientId('svc'),
    userId: null,
    tokenId: null,
    grantId: null,
    actor: 'svc',
    metadata: { grant: 'client_credentials' },
    createdAt: NOW,
    ...over,
  }
}

/** Runs work in a transaction that commits if it answers true or nothing. */
export function inTransaction<T>(backend: Backend, work: (stores: TransactionStores) => Promise<T>): Promise<T> {
  return backend.transaction(context(), async (stores) => {
    const value = await work(stores)
    return { commit: value !== false, value }
  })
}

export async function register(backend: Backend, ...clients: readonly ClientRegistration[]): Promise<void> {
  for (const client of clients) {
    const inserted = await inTransaction(backend, (stores) => stores.clients.insert(client, change))
    if (!inserted) throw new Error(`${client.clientId} is taken`)
  }
}

export async function mint(backend: Backend, ...tokens: readonly AccessToken[]): Promise<void> {
  await Promise.all(
    tokens.map((token) => backend.append(context(), (stores) => void stores.accessTokens.insert(token))),
  )
}
