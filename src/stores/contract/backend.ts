/**
 * What a storage backend is. The contract speaks in facts: absence is `null`, a
 * write that may lose a race returns whether it won, and nobody judges here.
 * `test/stores/contract.ts` is the definition that every backend runs.
 */
import type { PurgeKind } from '../../domain/expiry.ts'
import type { EpochMs, KeyId } from '../../domain/ids.ts'
import type { AccessTokenReads, AccessTokenStore, AccessTokenWrites } from './access-tokens.ts'
import type { AssertionIdStore } from './assertion-ids.ts'
import type {
  AuditChainReads,
  AuditFeedReads,
  AuditFollowerReads,
  AuditFollowerStore,
  AuditLogReads,
  AuditLogStore,
  AuditLogWrites,
} from './audit-log.ts'
import type { ClientReads, ClientSecretReads, ClientSecretStore, ClientStore } from './clients.ts'
import type { StoreContext } from './context.ts'
import type { DeviceAuthorizationReads, DeviceAuthorizationStore } from './device-authorizations.ts'
import type {
  AuthorizationCodeReads,
  AuthorizationCodeStore,
  GrantReads,
  GrantStore,
  RefreshTokenReads,
  RefreshTokenStore,
} from './grants.ts'
import type { RevocationReads } from './revocations.ts'
import type { SchemaState } from './schema-state.ts'
import type { SigningKeyReads, SigningKeyStore } from './signing-keys.ts'
import type { TrustedIssuerReads, TrustedIssuerStore } from './trusted-issuers.ts'
import type { UsageReads, UsageStore } from './usage.ts'
import type { UserReads, UserStore } from './users.ts'

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
  readonly auditFeed: AuditFeedReads
  readonly auditFollowers: AuditFollowerReads
  readonly usage: UsageReads
  readonly revocations: RevocationReads
  readonly trustedIssuers: TrustedIssuerReads
}

/** What an entry of a group commit may write: new rows, nothing that depends on others. */
export interface AppendStores {
  readonly accessTokens: AccessTokenWrites
  readonly auditLog: AuditLogWrites
}

/**
 * The stores bound to one transaction: reads see its own writes. Whatever ends tokens
 * early is told in the same commit (`RevocationReads`), without the caller's doing.
 */
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
  readonly auditFollowers: AuditFollowerStore
  readonly usage: UsageStore
  readonly trustedIssuers: TrustedIssuerStore
}

/** How a transaction ends, and what it answers. */
export type Ending<T> = { readonly commit: boolean; readonly value: T }

/** A kind of database, by its protocol and its client library: MariaDB speaks MySQL's. */
export type DialectName = 'sqlite' | 'libsql' | 'libsql-remote' | 'mysql' | 'postgres'

export interface Backend {
  readonly dialect: DialectName
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
   * Runs a unit of work in a transaction that decides races. Resolves after its commit
   * is durable, or after the rollback that `work` asked for.
   *
   * `work` touches nothing but the stores it is given, because it may be run more
   * than once and only its last run counts. After a deadlock it is rolled back and
   * run again from the start, until the deadline. It may also be run speculatively
   * first: its writes are recorded, each supposed to find its row, and share the
   * commit of other calls. Whether that happens is up to the backend. Work that
   * reads never shares a commit.
   *
   * A commit that is not confirmed is read back by the audit events it wrote;
   * `work` that writes without any may be done twice. A call that is cancelled
   * while it waits is taken out of the queue.
   */
  transaction<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T>
  /** Whether reads and writes work and the schema fits; resolves quickly either way. */
  check(): Promise<BackendHealth>
  /**
   * Whether what is read is what was committed last: a host that has become unfit to be
   * read from is left for another one. Throws where there is none; waits for no write.
   */
  checkReads(): Promise<void>
  /** Where the schema stands, whether it fits or not; throws like any read. */
  schema(): Promise<SchemaState>
  /** The time by the database's clock; throws like any read. */
  clock(): Promise<EpochMs>
  /** What an operator should know of the database; throws like any read. */
  diagnostics(): Promise<readonly Diagnostic[]>
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
  /** Entries that wait to be sent. */
  readonly waitingEntries: number
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

/** The diagnostic that says which changes of audit events the server's user may make. */
export const AUDIT_LOG_CHANGES = 'audit_log_changes'

/** The value of a diagnostic that has nothing to list. */
export const NONE = 'none'

/** A diagnostic by this name, with a warning, keeps servers from working. */
export const MISSING_PRIVILEGES = 'missing_privileges'

export type BackendHealth =
  | { readonly serving: true }
  /** `problem` is one line for the log: what is wrong, and what to do. */
  | {
      readonly serving: false
      readonly problem: string
      /** Whether the schema fits and reads work: only what writes is refused. */
      readonly readable: boolean
    }

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
   * codes and tokens; device authorizations and used assertions that ran out;
   * revocations whose `forgetTime` is over, by the database's clock as well, and
   * then the heads of writers that have none left.
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
  /** Notes that tokens are issued under a key of the keyring, by the database's clock; see `RevocationReads.keyIds`. */
  noteRevocationKey(id: KeyId): Promise<void>
  /** Forgets answers kept for spent refresh tokens whose window has ended at `now`; returns how many. */
  eraseReplays(now: EpochMs, limit: number): Promise<number>
}
