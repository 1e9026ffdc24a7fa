/**
 * The definition of a storage backend. The contract consists of facts: absence is `null`, a write that may lose a race
 * returns whether it won, and stores make no decisions. Every backend runs the tests in `test/stores/contract.ts`.
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

/** Committed data. The look-ups of one turn of the event loop are sent together. There is no cache. */
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

/** The writes of a group commit entry: new rows that do not depend on others. */
export interface AppendStores {
  readonly accessTokens: AccessTokenWrites
  readonly auditLog: AuditLogWrites
}

/**
 * The stores of one transaction: reads see its own writes. The stores record every early end of tokens in the same commit
 * (`RevocationReads`); the caller need not do so.
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

/** How a transaction ends, and its result. */
export type Ending<T> = { readonly commit: boolean; readonly value: T }

/** A kind of database, by its protocol and client library: MariaDB uses MySQL's. */
export type DialectName = 'sqlite' | 'libsql' | 'libsql-remote' | 'mysql' | 'postgres'

export interface Backend {
  readonly dialect: DialectName
  readonly reads: ReadStores
  readonly maintenance: Maintenance
  /**
   * Inserts rows, all or none. `fill` runs at once and synchronously. Entries of concurrent calls share a commit. Resolves
   * after the commit is durable. If a call is cancelled while its entry waits, the entry is removed from the queue. After it
   * was sent, it cannot be removed.
   */
  append(ctx: StoreContext, fill: (stores: AppendStores) => void): Promise<void>
  /**
   * Runs work in a transaction that decides races. Resolves after the commit is durable, or after the rollback that `work`
   * requested.
   *
   * `work` must use only the stores that it gets, because it may run more than once, and only the last run counts. After a
   * deadlock, it is rolled back and run again from the start, until the deadline. The backend may first run it
   * speculatively: its writes are recorded on the assumption that each finds its row, and share the commit of other calls.
   * Work that reads never shares a commit.
   *
   * The outcome of an unconfirmed commit is read back by the audit events that it wrote. `work` that writes without audit
   * events may be done twice. A call that is cancelled while it waits is removed from the queue.
   */
  transaction<T>(ctx: StoreContext, work: (stores: TransactionStores) => Promise<Ending<T>>): Promise<T>
  /** Whether reads and writes work and the schema fits. Resolves quickly in either case. */
  check(): Promise<BackendHealth>
  /**
   * Checks that reads return the latest committed data. If a host has become unfit for reads, another one is used. Throws if
   * there is none. Does not wait for writes.
   */
  checkReads(): Promise<void>
  /** The state of the schema, whether it fits or not. Throws like any read. */
  schema(): Promise<SchemaState>
  /** The time by the database's clock; throws like any read. */
  clock(): Promise<EpochMs>
  /** Information about the database for operators. Throws like any read. */
  diagnostics(): Promise<readonly Diagnostic[]>
  /** The current load. */
  load(): BackendLoad
  /** Writes the waiting entries, then closes the database. */
  close(): Promise<void>
}

/** Connections of one kind: the maximum, the number in use, and the number of calls or batches that wait for one. */
export interface PoolLoad {
  readonly size: number
  readonly used: number
  readonly waiting: number
}

export interface BackendLoad {
  /** `append` writes the rows that many calls share. Transactions have their own connections, or take turns with `append`. */
  readonly pools: { readonly read: PoolLoad; readonly append: PoolLoad; readonly transaction: PoolLoad }
  /** Entries that wait to be sent. */
  readonly waitingEntries: number
  /** Look-ups that wait to be sent. */
  readonly waitingLookUps: number
}

/** One property of a database that `doctor` reports, such as its isolation level. */
export interface Diagnostic {
  readonly name: string
  readonly value: string
  /** The problem and its remedy in one line; `null`: there is none. */
  readonly warning: string | null
}

/** The diagnostic of the changes of audit events that the server's user may make. */
export const AUDIT_LOG_CHANGES = 'audit_log_changes'

/** The value of a diagnostic whose list is empty. */
export const NONE = 'none'

/** A diagnostic with this name and a warning prevents servers from working. */
export const MISSING_PRIVILEGES = 'missing_privileges'

export type BackendHealth =
  | { readonly serving: true }
  /** `problem` is one line for the log: the problem and its remedy. */
  | {
      readonly serving: false
      readonly problem: string
      /** Whether the schema fits and reads work, so that only writes are refused. */
      readonly readable: boolean
      /** Whether the database answered a read at all in the time of the check, if only with an error. */
      readonly answers: boolean
    }

/** Housekeeping outside of calls. It deletes only rows that no check would have accepted. */
export interface Maintenance {
  /**
   * Acquires or renews a lease that one holder has at a time, until a moment by the callers' clocks. Of any number of
   * concurrent calls by others, none returns `true` while it lasts.
   */
  acquireLease(name: string, holder: string, now: EpochMs, until: EpochMs): Promise<boolean>
  /**
   * Deletes, by primary key, at most `limit` rows that ended before `before`: expired access tokens; grants whose last token
   * expired, each after its codes and tokens; expired device authorizations and used assertions; revocations whose
   * `forgetTime` has passed, also by the database's clock, and then the heads of writers without revocations. Returns the
   * number of rows. Fewer than `limit` mean that no ended rows are left.
   */
  purge(kind: PurgeKind, before: EpochMs, limit: number): Promise<number>
  /** The rows that `purge` would delete: their number, counted up to `most`, and when the oldest ended. */
  backlog(
    kind: PurgeKind,
    before: EpochMs,
    most: number,
  ): Promise<{ readonly count: number; readonly oldest: EpochMs | null }>
  /** Records, by the database's clock, that tokens are issued under a key of the keyring; see `RevocationReads.keyIds`. */
  noteRevocationKey(id: KeyId): Promise<void>
  /** Deletes the stored answers of spent refresh tokens whose window has ended at `now`. Returns their number. */
  eraseReplays(now: EpochMs, limit: number): Promise<number>
}
