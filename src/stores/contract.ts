/**
 * What a storage backend is. The contract speaks in facts: absence is `null`, a
 * write that may lose a race returns whether it won, and nobody judges here.
 * `test/stores/contract.ts` is the definition that every backend runs.
 */
import type { CallContext } from '../context.ts'
import type { AccessToken, AccessTokenStatus } from '../domain/access-token.ts'
import type { AuditEvent, AuditEventType } from '../domain/audit-event.ts'
import type { AuditHead, AuditRecord, AuditRoster, UnsealedHead, UnsealedRecord } from '../domain/audit-record.ts'
import type { AuthorizationCode, AuthorizationCodeStatus } from '../domain/authorization-code.ts'
import type { Client, ClientRegistration, ClientType } from '../domain/client.ts'
import type { ClientSecret } from '../domain/client-secret.ts'
import type { DeviceAuthorization, DeviceAuthorizationStatus } from '../domain/device-authorization.ts'
import type { Grant, GrantStatus } from '../domain/grant.ts'
import type {
  AuditEventId,
  AuthorizationCodeId,
  ClientId,
  DeviceAuthorizationId,
  EpochMs,
  GrantId,
  KeyId,
  Milliseconds,
  SecretId,
  SigningKeyId,
  TokenHash,
  TokenId,
  UserCodeHash,
  UserId,
} from '../domain/ids.ts'
import type { RefreshToken, RefreshTokenStatus, Replay } from '../domain/refresh-token.ts'
import type { SigningAlgorithm, SigningKey, SigningKeyState } from '../domain/signing-key.ts'
import type { User } from '../domain/user.ts'

/** What a store needs of a call: how long to try, and when to stop. */
export type StoreContext = Pick<CallContext, 'signal' | 'deadline' | 'log' | 'rayId' | 'now' | 'span'>

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
  /** Who answers for each of these audiences; the unowned are left out. The id of a deleted client stays its own. */
  audienceOwners(ctx: StoreContext, audiences: readonly string[]): Promise<ReadonlyMap<string, ClientId>>
  /**
   * Whether the client that answers for an audience is disabled, or was deleted
   * and nobody has taken the audience since; `false` where nobody ever did.
   */
  isAudienceClosed(ctx: StoreContext, audience: string): Promise<boolean>
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
  /** Keeps the tokens that `isActive` holds for at this moment, ancestors left aside; `null`: all. */
  readonly activeAt: EpochMs | null
}

export interface AccessTokenReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<AccessTokenStatus | null>
  /** Batched like `findByHash`: checks of exchanged tokens look their ancestors up by it. */
  findById(ctx: StoreContext, tokenId: TokenId): Promise<AccessTokenStatus | null>
  /** Newest first, those of deleted clients left out. */
  page(ctx: StoreContext, filter: AccessTokenFilter, page: PageRequest<TokenId>): Promise<readonly AccessTokenStatus[]>
  /** How many of a client are unexpired at `ctx.now`, unrevoked and of its generation; counted up to `most`. */
  countLive(ctx: StoreContext, clientId: ClientId, most: number): Promise<number>
}

export interface AccessTokenWrites {
  insert(token: AccessToken): Promise<void> | void
}

export interface AccessTokenStore extends AccessTokenReads, AccessTokenWrites {
  /** Of any number of concurrent calls, exactly one returns `true`; `false`: revoked already, or unknown. */
  revoke(tokenId: TokenId, reason: string, change: Change): Promise<boolean>
  /** The tokens of a grant's own client, exchanged ones left out, that are neither revoked nor expired, oldest first. */
  unexpiredOfGrant(ctx: StoreContext, grantId: GrantId): Promise<readonly TokenId[]>
}

export interface UserFilter {
  readonly active: boolean | null
}

export interface UserReads {
  /** The user, active or not; `null` if there is none or it was deleted. */
  find(ctx: StoreContext, userId: UserId): Promise<User | null>
  findByExternalId(ctx: StoreContext, externalId: string): Promise<User | null>
  /** The last registered first (descending order of the ids), deleted ones left out. */
  page(ctx: StoreContext, filter: UserFilter, page: PageRequest<UserId>): Promise<readonly User[]>
}

export interface UserStore extends UserReads {
  /** Of any number of concurrent calls with one external id, exactly one returns `true`; after `false` roll back. */
  insert(user: User): Promise<boolean>
  /** `false`: there is no such user, or it is so already. */
  setActive(userId: UserId, active: boolean, change: Change): Promise<boolean>
  /** Ends every token, code and grant of the user made until now. `false`: there is no such user. */
  startTokenGeneration(userId: UserId, change: Change): Promise<boolean>
  /** The tokens become inactive; the external id is free again. Of any number of concurrent calls, one returns `true`. */
  delete(userId: UserId, change: Change): Promise<boolean>
}

export interface GrantReads {
  find(ctx: StoreContext, grantId: GrantId): Promise<GrantStatus | null>
}

export interface GrantStore extends GrantReads {
  insert(grant: Grant): Promise<void>
  /** Ends the family. Of any number of concurrent calls, exactly one returns `true`; `false`: revoked already, or unknown. */
  revoke(grantId: GrantId, reason: string, change: Change): Promise<boolean>
  /**
   * Takes the grant's row until the end of the transaction, like
   * `ClientStore.lock`, and lets it be kept at least until `tokensUntil`.
   * `false`: it is revoked, or unknown.
   */
  hold(grantId: GrantId, tokensUntil: EpochMs): Promise<boolean>
}

export interface AuthorizationCodeReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<AuthorizationCodeStatus | null>
}

export interface AuthorizationCodeStore extends AuthorizationCodeReads {
  insert(code: AuthorizationCode): Promise<void>
  /** Spends a code. Of any number of concurrent calls, exactly one returns `true`. */
  consume(codeId: AuthorizationCodeId, at: EpochMs): Promise<boolean>
}

export interface RefreshTokenReads {
  findByHash(ctx: StoreContext, hash: TokenHash): Promise<RefreshTokenStatus | null>
  findById(ctx: StoreContext, tokenId: TokenId): Promise<RefreshTokenStatus | null>
  /** Newest first, those of deleted clients left out; `activeAt` keeps the unspent, unexpired ones of active grants. */
  page(ctx: StoreContext, filter: AccessTokenFilter, page: PageRequest<TokenId>): Promise<readonly RefreshTokenStatus[]>
}

/** What a refresh token was exchanged for. */
export interface Rotation {
  readonly successorId: TokenId
  /** `null`: the client gets no second chance. */
  readonly replay: Replay | null
}

export interface RefreshTokenStore extends RefreshTokenReads {
  insert(token: RefreshToken): Promise<void>
  /** Spends a token. Of any number of concurrent calls, exactly one returns `true`. */
  consume(tokenId: TokenId, at: EpochMs, rotation: Rotation): Promise<boolean>
  /** Forgets the answer kept for a spent token. */
  eraseReplay(tokenId: TokenId): Promise<void>
  /**
   * The grants of a client (and, if given, one user) that have a refresh token
   * which can be spent at `ctx.now` or later, the one with the oldest first: those
   * of a disabled client or deactivated user count, for they may come back. Exact
   * while the client's row is taken.
   */
  spendableGrants(ctx: StoreContext, clientId: ClientId, userId: UserId | null): Promise<readonly GrantId[]>
}

export interface DeviceAuthorizationReads {
  findByDeviceCode(ctx: StoreContext, hash: TokenHash): Promise<DeviceAuthorizationStatus | null>
  /** The latest one under any of these hashes (one for each pepper). */
  findByUserCode(ctx: StoreContext, hashes: readonly UserCodeHash[]): Promise<DeviceAuthorizationStatus | null>
  /** The peppers that the user codes which can still be decided at `ctx.now` were hashed under. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

export interface DeviceAuthorizationStore extends DeviceAuthorizationReads {
  /** `false`: a pending one has the same user code; roll back and draw another. */
  insert(authorization: DeviceAuthorization): Promise<boolean>
  /** How many of a client are undecided, unexpired at `ctx.now` and not revoked with its generation. Exact while the client's row is taken. */
  countPending(ctx: StoreContext, clientId: ClientId): Promise<number>
  /**
   * Takes the row of a pending authorization until the end of the transaction,
   * like `ClientStore.lock`. `false`: it has been decided.
   */
  hold(id: DeviceAuthorizationId): Promise<boolean>
  /** Notes a poll and the interval from now on; the row is held. */
  notePoll(id: DeviceAuthorizationId, poll: { readonly at: EpochMs; readonly interval: Milliseconds }): Promise<void>
  /** Of any number of concurrent decisions, exactly one returns `true`; the user code is then free for others. */
  approve(id: DeviceAuthorizationId, grantId: GrantId, change: Change): Promise<boolean>
  /** As `approve`. */
  deny(id: DeviceAuthorizationId, change: Change): Promise<boolean>
  /** Spends an approved one. Of any number of concurrent calls, exactly one returns `true`. */
  redeem(id: DeviceAuthorizationId, change: Change): Promise<boolean>
}

export interface SigningKeyFilter {
  /** `null`: all. */
  readonly state: SigningKeyState | null
}

export interface SigningKeyReads {
  /** A key in whatever state; batched. */
  find(ctx: StoreContext, keyId: SigningKeyId): Promise<SigningKey | null>
  /** The one key of an algorithm that signs, as of now: minting asks for it every time; batched. */
  findActive(ctx: StoreContext, algorithm: SigningAlgorithm): Promise<SigningKey | null>
  /** What others need to verify tokens at `ctx.now`: prepared, active, and retired ones whose last token has not expired; oldest first. */
  published(ctx: StoreContext): Promise<readonly SigningKey[]>
  /** The last prepared first. */
  page(ctx: StoreContext, filter: SigningKeyFilter, page: PageRequest<SigningKeyId>): Promise<readonly SigningKey[]>
  /** The keys of the keyring that private keys are encrypted under. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

export interface SigningKeyStore extends SigningKeyReads {
  /**
   * Keeps others from adding keys until the transaction ends: whoever else asks
   * waits, and reads what was added. `false`: another one was first; roll back.
   */
  lock(change: Change): Promise<boolean>
  /** `false`: there is a key of this id; roll back. */
  insert(key: SigningKey): Promise<boolean>
  /**
   * Lets a prepared key sign. At every moment at most one key of an algorithm is
   * active. `false`: it is not prepared, or another one is active; roll back.
   */
  activate(keyId: SigningKeyId, change: Change): Promise<boolean>
  /**
   * Notes on an active key, before it signs, that a token of it will live so
   * long. `false`: it is noted already, or the key is not active.
   */
  coverLifetime(keyId: SigningKeyId, lifetime: Milliseconds, change: Change): Promise<boolean>
  /**
   * Ends the signing of a prepared or active key and erases its private half, if
   * its state and longest lifetime are still as given. Of any number of
   * concurrent calls, at most one returns `true`.
   */
  retire(key: SigningKey, tokensUntil: EpochMs, change: Change): Promise<boolean>
  /** Ends a key and all that it signed. Of any number of concurrent calls, exactly one returns `true`. */
  revoke(keyId: SigningKeyId, reason: string, change: Change): Promise<boolean>
}

/** An assertion's id (RFC 7523 §3, `jti`) was shown by who was first to. */
export interface AssertionUse {
  /** 32 bytes: who made the assertion, what for, and its id. */
  readonly hash: Buffer
  /** Names this use and no other. */
  readonly useId: string
  /** When the assertion ends, and the use need not be known any more. */
  readonly expiresAt: EpochMs
  readonly usedAt: EpochMs
  /** Whose assertion it was. */
  readonly by: string
}

export interface AssertionIdStore {
  /** The uses that are stored under these hashes. */
  find(ctx: StoreContext, hashes: readonly Buffer[]): Promise<readonly Pick<AssertionUse, 'hash' | 'useId'>[]>
  /** Of any number of concurrent calls with one hash, exactly one returns `true`; after `false` roll back. */
  insert(uses: readonly AssertionUse[]): Promise<boolean>
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

/** The log as evidence: its rows and heads as they are stored, whatever they hold. */
export interface AuditChainReads {
  /** `null`: there is no such row, which no version of qscope leaves so. */
  roster(ctx: StoreContext): Promise<AuditRoster | null>
  /** In ascending order of their ordinals, after one. */
  heads(ctx: StoreContext, after: number, limit: number): Promise<readonly AuditHead[]>
  /** Where a chain ends now. */
  head(ctx: StoreContext, writerId: string): Promise<AuditHead | null>
  /** The greatest ordinal of a head; 0 without any. */
  lastOrdinal(ctx: StoreContext): Promise<number>
  /** The next writer that has rows, in byte order of the ids. */
  writerAfter(ctx: StoreContext, writerId: string): Promise<string | null>
  /** The first and the last place of a writer's rows; `null` without any. */
  extent(ctx: StoreContext, writerId: string): Promise<{ readonly first: number; readonly last: number } | null>
  /** The rows of a chain after a place, in order. */
  records(ctx: StoreContext, writerId: string, after: number, limit: number): Promise<readonly AuditRecord[]>
  /** Of the `within` places after one, the first row that says it follows `previousHash`. */
  follower(
    ctx: StoreContext,
    writerId: string,
    previousHash: Buffer,
    after: number,
    within: number,
  ): Promise<AuditRecord | null>
}

export interface AuditLogWrites {
  append(event: AuditEvent): Promise<void> | void
}

export interface AuditLogStore extends AuditLogReads, AuditLogWrites {}

/** Committed facts. The look-ups of one turn of the event loop travel together; there is no cache. */
export interface ReadStores {
  readonly clients: ClientReads
  readonly clientSecrets: ClientSecretReads
  readonly users: UserReads
  readonly grants: GrantReads
  readonly authorizationCodes: AuthorizationCodeReads
  readonly accessTokens: AccessTokenReads
  readonly refreshTokens: RefreshTokenReads
  readonly deviceAuthorizations: DeviceAuthorizationReads
  readonly signingKeys: SigningKeyReads
  readonly auditLog: AuditLogReads
  readonly auditChains: AuditChainReads
}

/** What an entry of a group commit may write: new rows, nothing that depends on others. */
export interface AppendStores {
  readonly accessTokens: AccessTokenWrites
  readonly auditLog: AuditLogWrites
}

/** The stores bound to one transaction: reads see its own writes. */
export interface TransactionStores {
  readonly clients: ClientStore
  readonly clientSecrets: ClientSecretStore
  readonly users: UserStore
  readonly grants: GrantStore
  readonly authorizationCodes: AuthorizationCodeStore
  readonly accessTokens: AccessTokenStore
  readonly refreshTokens: RefreshTokenStore
  readonly deviceAuthorizations: DeviceAuthorizationStore
  readonly assertionIds: AssertionIdStore
  readonly signingKeys: SigningKeyStore
  readonly auditLog: AuditLogStore
  readonly auditChains: AuditChainReads
}

/** How a transaction ends, and what it answers. */
export type Ending<T> = { readonly commit: boolean; readonly value: T }

/** What grows with use, and is deleted when nobody can ask for it any more. */
export type PurgeKind = 'access_tokens' | 'grants' | 'device_authorizations' | 'assertion_ids'

/** Housekeeping, apart from calls: what is deleted here no check would have accepted. */
export interface Maintenance {
  /**
   * Takes or renews a lease that one holder has at a time, until a moment on
   * the callers' clocks. Of any number of concurrent calls by others, none
   * returns `true` while it lasts.
   */
  acquireLease(name: string, holder: string, now: EpochMs, until: EpochMs): Promise<boolean>
  /**
   * Deletes at most `limit` rows, by primary key, that ended before `before`:
   * access tokens that expired; grants whose last token expired, each after its
   * codes and tokens; device authorizations and used assertions that ran out.
   * Returns how many rows;
   * fewer than `limit`: nothing that had ended is left.
   */
  purge(kind: PurgeKind, before: EpochMs, limit: number): Promise<number>
  /** What `purge` would delete: how much, counted up to `most`, and when the oldest ended. */
  backlog(
    kind: PurgeKind,
    before: EpochMs,
    most: number,
  ): Promise<{ readonly count: number; readonly oldest: EpochMs | null }>
  /** Forgets answers kept for spent refresh tokens whose window has ended at `now`; returns how many. */
  eraseReplays(now: EpochMs, limit: number): Promise<number>
}

export interface Backend {
  readonly dialect: string
  readonly reads: ReadStores
  readonly maintenance: Maintenance
  /**
   * Hands over rows to be inserted, all or nothing; `fill` runs at once and
   * synchronously. Entries of concurrent calls share a commit. Resolves after the
   * commit is durable. A call that is cancelled while its entry waits is taken
   * out of the queue; after it was sent, never.
   */
  append(ctx: StoreContext, fill: (stores: AppendStores) => void): Promise<void>
  /**
   * Runs `work` in a transaction of its own that decides races; on a deadlock it
   * is rolled back and run again, from the start, until the deadline. `work` sees
   * only the stores it is given. A commit that is not confirmed is read back by
   * the audit events it wrote; `work` that writes without any may be done twice.
   */
  transaction<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T>
  /**
   * The same for work that touches nothing but its stores, of which therefore only
   * the last run counts: it may first be run on paper, supposing that each write
   * finds its row, and share the commit of others if it does. A call that is
   * cancelled while it waits is taken out of the queue.
   */
  decide<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T>
  /** Whether reads and writes work and the schema fits; resolves quickly either way. */
  check(): Promise<BackendHealth>
  /** What an operator should know of the database; throws like any read. */
  facts(): Promise<readonly Diagnostic[]>
  /** How much of it is in use at this moment. */
  load(): BackendLoad
  /** Writes out what waits, then lets go of the database. */
  close(): Promise<void>
}

/** Connections of one kind: how many there are at most, how many work, and how many calls or batches wait for one. */
export interface PoolLoad {
  readonly size: number
  readonly used: number
  readonly waiting: number
}

export interface BackendLoad {
  /** `append` writes what many calls share; transactions have connections of their own, or take turns with it. */
  readonly pools: { readonly read: PoolLoad; readonly append: PoolLoad; readonly transaction: PoolLoad }
  /** Entries that wait to be sent in the append lane. */
  readonly waitingUnits: number
  /** Look-ups that wait to be sent. */
  readonly waitingLookUps: number
}

/** One thing that `doctor` tells of a database, such as its isolation level. */
export interface Diagnostic {
  readonly name: string
  readonly value: string
  /** What is wrong with it and what to do, in one line; `null`: nothing. */
  readonly warning: string | null
}

export type BackendHealth =
  | { readonly serving: true }
  /** `problem` is one line for the log: what is wrong, and what to do. */
  | {
      readonly serving: false
      readonly problem: string
      /** Whether the schema fits and reads work: only what writes is refused. */
      readonly readable: boolean
    }

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
  /** 32 bytes over the hash of the row before it and every column of this one. */
  hash(record: UnsealedRecord): Buffer
  /** 32 bytes over where a chain ends. */
  headMac(head: UnsealedHead): Buffer
  /** 32 bytes over the total before and the writer that joins. */
  rosterTotal(before: Buffer, writer: Pick<UnsealedHead, 'ordinal' | 'writerId'>): Buffer
}
