/**
 * What a storage backend is. The contract speaks in facts: absence is `null`, a
 * write that may lose a race returns whether it won, and nobody judges here.
 * `test/stores/contract.ts` is the definition that every backend runs.
 */
import type { CallContext } from '../context.ts'
import type { AccessToken, AccessTokenStanding } from '../domain/access-token.ts'
import type { AuditEvent, AuditEventType } from '../domain/audit-event.ts'
import type { Client, ClientRegistration, ClientType } from '../domain/client.ts'
import type { ClientSecret } from '../domain/client-secret.ts'
import type { AuditEventId, ClientId, EpochMs, KeyId, SecretId, TokenHash, TokenId, UserId } from '../domain/ids.ts'

/** What a store needs of a call: how long to try, and when to stop. */
export type StoreContext = Pick<CallContext, 'signal' | 'deadline' | 'log' | 'rayId' | 'now'>

/** Who changed a row, and when. */
export interface Change {
  readonly at: EpochMs
  readonly by: string
}

/** A page of a list in a fixed order; `after` is the key of the last item of the page before. */
export interface PageRequest<Key> {
  readonly after: Key | null
  readonly limit: number
}

export interface ClientFilter {
  readonly enabled: boolean | null
  readonly type: ClientType | null
  readonly idPrefix: string | null
}

export interface ClientReads {
  /** The client, enabled or not; `null` if there is none or it was deleted. */
  find(ctx: StoreContext, clientId: ClientId): Promise<Client | null>
  /** Whether the id is in use or was: a deleted client's stays reserved. */
  isReserved(ctx: StoreContext, clientId: ClientId): Promise<boolean>
  /** Who answers for each of these audiences; the unowned are left out. Deleted owners still count. */
  audienceOwners(ctx: StoreContext, audiences: readonly string[]): Promise<ReadonlyMap<string, ClientId>>
  /** In ascending byte order of the ids, deleted ones left out. */
  page(ctx: StoreContext, filter: ClientFilter, page: PageRequest<ClientId>): Promise<readonly Client[]>
}

export interface ClientStore extends ClientReads {
  /**
   * Registers a client, enabled, at version 1 and token generation 1, together
   * with its config and the audiences it answers for (its own id among them).
   * Of any number of concurrent calls that want the same id or audience, exactly
   * one returns `true`; after `false` nothing more may be done in this
   * transaction but rolling it back.
   */
  insert(client: ClientRegistration, change: Change): Promise<boolean>
  /**
   * Replaces everything of a registration that can change, if its version is
   * still `version`, and adds one to it. `false`: it was not, or an audience is
   * another's; roll back.
   */
  update(client: ClientRegistration, version: number, change: Change): Promise<boolean>
  /** Enables or disables, under the same rule. */
  setEnabled(clientId: ClientId, enabled: boolean, version: number, change: Change): Promise<boolean>
  /**
   * Ends every token, code and grant made until now by starting a new token
   * generation. `false`: there is no such client.
   */
  startTokenGeneration(clientId: ClientId, change: Change): Promise<boolean>
  /**
   * Deletes a client, its config, secrets and audiences, if its version is still
   * `version`. The id stays reserved, and its tokens are inactive.
   */
  delete(clientId: ClientId, version: number, change: Change): Promise<boolean>
  /**
   * Takes the client's row until the end of the transaction, so that others who
   * take it wait; on a cluster, whose row locks are local to a node, the loser
   * is rolled back. Changes nothing that a caller can see. `false`: there is no
   * such client.
   */
  lock(clientId: ClientId): Promise<boolean>
}

export interface ClientSecretReads {
  /** All secrets of a client, newest first, expired ones too. */
  ofClient(ctx: StoreContext, clientId: ClientId): Promise<readonly ClientSecret[]>
  /** The peppers that secrets were hashed under. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

export interface ClientSecretStore extends ClientSecretReads {
  insert(secret: ClientSecret): Promise<void>
  /** Lets all of a client's secrets end at `at` that would end later or never. */
  expireAll(clientId: ClientId, at: EpochMs): Promise<void>
  /** Removes a secret. Of any number of concurrent calls, exactly one returns `true`. */
  delete(clientId: ClientId, secretId: SecretId): Promise<boolean>
  /** Notes a use, unless a later one is noted already. */
  markUsed(secretId: SecretId, at: EpochMs): Promise<void>
}

export interface AccessTokenFilter {
  readonly clientId: ClientId | null
  readonly userId: UserId | null
  /** Keeps the tokens that `isActive` holds for at this moment; `null`: all. */
  readonly activeAt: EpochMs | null
}

export interface AccessTokenReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<AccessTokenStanding | null>
  findById(ctx: StoreContext, tokenId: TokenId): Promise<AccessTokenStanding | null>
  /** Newest first, those of deleted clients left out. */
  page(
    ctx: StoreContext,
    filter: AccessTokenFilter,
    page: PageRequest<TokenId>,
  ): Promise<readonly AccessTokenStanding[]>
}

export interface AccessTokenWrites {
  insert(token: AccessToken): Promise<void> | void
}

export interface AccessTokenStore extends AccessTokenReads, AccessTokenWrites {
  /** Of any number of concurrent calls, exactly one returns `true`; `false`: revoked already, or unknown. */
  revoke(tokenId: TokenId, reason: string, change: Change): Promise<boolean>
}

export interface AuditFilter {
  /** Empty: all. */
  readonly types: readonly AuditEventType[]
  readonly clientId: ClientId | null
  readonly userId: UserId | null
  readonly rayId: string | null
  /** At or after. */
  readonly from: EpochMs | null
  /** Before. */
  readonly until: EpochMs | null
}

/** Append-only: the database itself refuses to change or delete what is in it. */
export interface AuditLogReads {
  find(ctx: StoreContext, eventId: AuditEventId): Promise<AuditEvent | null>
  /** Newest first. */
  page(ctx: StoreContext, filter: AuditFilter, page: PageRequest<AuditEventId>): Promise<readonly AuditEvent[]>
  /** The keys that the chains of the log were made with. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

export interface AuditLogWrites {
  append(event: AuditEvent): Promise<void> | void
}

export interface AuditLogStore extends AuditLogReads, AuditLogWrites {}

/** Committed facts. The look-ups of one turn of the event loop travel together; there is no cache. */
export interface ReadStores {
  readonly clients: ClientReads
  readonly clientSecrets: ClientSecretReads
  readonly accessTokens: AccessTokenReads
  readonly auditLog: AuditLogReads
}

/** What a unit of the append lane may write: new rows, nothing that depends on others. */
export interface AppendStores {
  readonly accessTokens: AccessTokenWrites
  readonly auditLog: AuditLogWrites
}

/** The stores bound to one transaction: reads see its own writes. */
export interface TransactionStores {
  readonly clients: ClientStore
  readonly clientSecrets: ClientSecretStore
  readonly accessTokens: AccessTokenStore
  readonly auditLog: AuditLogStore
}

/** How a transaction ends, and what it answers. */
export type Ending<T> = { readonly commit: boolean; readonly value: T }

export interface Backend {
  readonly dialect: string
  readonly reads: ReadStores
  /**
   * Hands over rows to be inserted, all or nothing; `fill` runs at once and
   * synchronously. Units of concurrent calls share a commit. Resolves after the
   * commit is durable. A call that is cancelled while its unit waits is taken
   * out of the queue; after it was sent, never.
   */
  append(ctx: StoreContext, fill: (stores: AppendStores) => void): Promise<void>
  /**
   * Runs `work` in a transaction of its own that decides races; on a deadlock it
   * is rolled back and run again, from the start, until the deadline. `work` sees
   * only the stores it is given.
   */
  transaction<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T>
  /** Whether reads and writes work and the schema fits; resolves quickly either way. */
  check(): Promise<BackendHealth>
  /** Writes out what waits, then lets go of the database. */
  close(): Promise<void>
}

export type BackendHealth =
  | { readonly serving: true }
  /** `problem` is one line for the log: what is wrong, and what to do. */
  | { readonly serving: false; readonly problem: string }

/**
 * What can go wrong with a database, as far as callers must tell it apart.
 *
 * - `contended`: lost to others until the deadline or the retry cap; nothing was written.
 * - `unavailable`: busy, gone, read-only, full, or of another version's schema; nothing was written.
 * - `outcome_unknown`: the connection broke while committing, and reading back did not settle it.
 * - `broken`: corrupt or not what the schema says; an operator must look.
 */
export type StoreFault = 'contended' | 'unavailable' | 'outcome_unknown' | 'broken'

/** Thrown by every backend operation that cannot be done. */
export class StoreError extends Error {
  readonly fault: StoreFault

  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreError'
    this.fault = fault
  }
}

/** Seals the rows of the audit log; given to a backend by the composition root. */
export interface AuditSeal {
  /** Names the key, and is stored beside what it sealed. */
  readonly keyId: KeyId
  /** 32 bytes over the hash before it, the place in the chain and the event. */
  hash(previous: Buffer, writerId: string, sequence: number, event: AuditEvent): Buffer
}
