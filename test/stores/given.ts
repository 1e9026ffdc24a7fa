/** Values, contexts and backends for the tests of stores. */

import { ActiveAuditSeal } from '../../src/crypto/audit-seal.ts'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { jitter, randomBytes, uuidV7, uuidV7At } from '../../src/crypto/random.ts'
import { RevocationKeys } from '../../src/crypto/revocation-keys.ts'
import type { AccessToken } from '../../src/domain/access-token.ts'
import type { AuditEvent } from '../../src/domain/audit-event.ts'
import type { ClientSecret } from '../../src/domain/client.ts'
import { type ClientRegistration, DEFAULT_CLIENT_CONFIG } from '../../src/domain/client.ts'
import type { DeviceAuthorization } from '../../src/domain/device-authorization.ts'
import type { AuthorizationCode, Grant, RefreshToken } from '../../src/domain/grant.ts'
import {
  auditEventId,
  authorizationCodeId,
  clientId,
  deviceAuthorizationId,
  epochMs,
  grantId,
  keyId,
  milliseconds,
  type SecretHash,
  secretId,
  type TokenHash,
  tokenId,
  type UserCodeHash,
  userId,
} from '../../src/domain/ids.ts'
import type { User } from '../../src/domain/user.ts'
import type { AuditSeal } from '../../src/stores/contract/audit-log.ts'
import type { Backend, Diagnostic, Ending, TransactionStores } from '../../src/stores/contract/backend.ts'
import type { Change, StoreContext } from '../../src/stores/contract/context.ts'
import { type BackendOptions, openBackend, openMigrations } from '../../src/stores/open.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'

const nothing = () => undefined
export const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing }

const keyring = new Keyring(drawKeyMaterial())
export const seal: AuditSeal = new ActiveAuditSeal(keyring)
export const telling = new RevocationKeys(keyring)
export const options: BackendOptions = { seal, telling, log: quiet, newId: uuidV7, jitter }

export const NOW = epochMs(1_800_000_000_000)
export const DAY = 86_400_000
export const change: Change = { at: NOW, by: 'operator:test' }

export function context(over: Partial<StoreContext> = {}): StoreContext {
  return { signal: new AbortController().signal, deadline: null, log: quiet, rayId: 'ray', now: NOW, ...over }
}

/** A context whose signal must not be read. */
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
    jwks: null,
    jwksUri: null,
    tlsClientSubject: null,
    federatedIdentities: [],
    grantTypes: ['client_credentials'],
    redirectUris: ['https://app.example/callback'],
    scopes: ['read', 'write'],
    audiences: ['orders'],
    resourceAudiences: [],
    config: { ...DEFAULT_CLIENT_CONFIG, metadata: { team: 'blue' } },
    owner: null,
    ...over,
  }
}

export function aToken(client: string, over: Partial<AccessToken> = {}): AccessToken {
  return {
    tokenId: tokenId(uuidV7()),
    hash: randomBytes(32) as TokenHash,
    clientId: clientId(client),
    subject: client,
    userId: null,
    grantId: null,
    scopes: ['read'],
    audiences: ['orders'],
    clientGeneration: 1,
    userGeneration: null,
    actors: [],
    ancestors: [],
    extra: null,
    signingKeyId: null,
    confirmation: null,
    issuedAt: NOW,
    expiresAt: epochMs(NOW + 3_600_000),
    revokedAt: null,
    rayId: 'ray',
    ...over,
  }
}

export function aUser(over: Partial<User> = {}): User {
  const id = uuidV7()
  return {
    userId: userId(id),
    externalId: `external-${id}`,
    active: true,
    tokenGeneration: 1,
    owner: null,
    createdAt: NOW,
    createdBy: 'operator:test',
    updatedAt: NOW,
    updatedBy: 'operator:test',
    ...over,
  }
}

export function aGrant(client: string, user: User, over: Partial<Grant> = {}): Grant {
  return {
    grantId: grantId(uuidV7()),
    clientId: clientId(client),
    userId: user.userId,
    scopes: ['read', 'write'],
    audiences: ['orders'],
    clientGeneration: 1,
    userGeneration: 1,
    createdAt: NOW,
    createdBy: 'front-end',
    expiresAt: epochMs(NOW + 90 * DAY),
    tokensUntil: epochMs(NOW + 60_000),
    revokedAt: null,
    rayId: 'ray',
    ...over,
  }
}

export function aCode(grant: Grant, over: Partial<AuthorizationCode> = {}): AuthorizationCode {
  return {
    codeId: authorizationCodeId(uuidV7()),
    hash: randomBytes(32) as TokenHash,
    grantId: grant.grantId,
    redirectUri: 'https://app.example/callback',
    codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    createdAt: NOW,
    createdBy: 'front-end',
    expiresAt: epochMs(NOW + 60_000),
    consumedAt: null,
    rayId: 'ray',
    ...over,
  }
}

export function aRefreshToken(grant: Grant, over: Partial<RefreshToken> = {}): RefreshToken {
  return {
    tokenId: tokenId(uuidV7()),
    hash: randomBytes(32) as TokenHash,
    grantId: grant.grantId,
    clientId: grant.clientId,
    userId: grant.userId,
    predecessorId: null,
    issuedAt: NOW,
    expiresAt: epochMs(NOW + 30 * DAY),
    consumedAt: null,
    successorId: null,
    replay: null,
    rayId: 'ray',
    ...over,
  }
}

export function aDeviceAuthorization(client: string, over: Partial<DeviceAuthorization> = {}): DeviceAuthorization {
  return {
    deviceAuthorizationId: deviceAuthorizationId(uuidV7()),
    deviceCodeHash: randomBytes(32) as TokenHash,
    userCodeHash: randomBytes(32) as UserCodeHash,
    userCodeKeyId: keyId('pepper-1'),
    clientId: clientId(client),
    scopes: ['read'],
    audiences: ['orders'],
    clientGeneration: 1,
    decision: 'pending',
    pollInterval: milliseconds(5_000),
    lastPolledAt: null,
    grantId: null,
    createdAt: NOW,
    createdBy: client,
    expiresAt: epochMs(NOW + 600_000),
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
    importedHash: null,
    createdAt: NOW,
    createdBy: 'operator:test',
    expiresAt: null,
    lastUsedAt: null,
    madeBy: null,
    ...over,
  }
}

export function anEvent(over: Partial<AuditEvent> = {}): AuditEvent {
  return {
    eventId: auditEventId(uuidV7At(over.createdAt ?? NOW)),
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

/** A transaction that no backend runs speculatively, since its work reads first. */
export function ownTransaction<T>(
  backend: Backend,
  ctx: StoreContext,
  work: (stores: TransactionStores) => Promise<Ending<T>>,
): Promise<T> {
  return backend.transaction(ctx, async (stores) => {
    await stores.clients.isReserved(ctx, clientId('anybody'))
    return await work(stores)
  })
}

/** The same for work that commits if it returns true or nothing. */
export function inTransaction<T>(backend: Backend, work: (stores: TransactionStores) => Promise<T>): Promise<T> {
  return ownTransaction(backend, context(), async (stores) => {
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

/** Registers users, and returns the first. */
export async function enroll(backend: Backend, ...users: readonly [User, ...User[]]): Promise<User> {
  for (const user of users) {
    if (!(await inTransaction(backend, (stores) => stores.users.insert(user)))) throw new Error('the user is taken')
  }
  return users[0]
}

/** Stores grants. */
export async function consent(backend: Backend, ...grants: readonly Grant[]): Promise<void> {
  await inTransaction(backend, async (stores) => {
    for (const grant of grants) await stores.grants.insert(grant)
  })
}

/** The number of concurrent transactions that win. */
export async function winners(
  backend: Backend,
  count: number,
  work: (stores: TransactionStores, n: number) => Promise<boolean>,
): Promise<number> {
  const won = await Promise.all(
    Array.from({ length: count }, (_, n) => inTransaction(backend, (stores) => work(stores, n))),
  )
  return won.filter(Boolean).length
}

export async function mint(backend: Backend, ...tokens: readonly AccessToken[]): Promise<void> {
  await Promise.all(
    tokens.map((token) => backend.append(context(), (stores) => void stores.accessTokens.insert(token))),
  )
}

/** The same for one token, with an event in the same commit. */
export async function mintAudited(backend: Backend, token: AccessToken): Promise<void> {
  await backend.append(context(), (stores) => {
    void stores.accessTokens.insert(token)
    void stores.auditLog.append(anEvent({ tokenId: token.tokenId }))
  })
}

/** The warnings of a database. */
export function warningsOf(facts: readonly Diagnostic[]): Pick<Diagnostic, 'name' | 'value'>[] {
  return facts.filter(({ warning }) => warning !== null).map(({ name, value }) => ({ name, value }))
}
