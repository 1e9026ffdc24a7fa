import type {
  AuditEvent,
  AuditEventType,
  AuditHead,
  AuditRecord,
  ChainHeads,
  ChainRange,
  PlacedEvent,
  UnsealedHead,
  UnsealedRecord,
  WriterRegistry,
} from '../../domain/audit-event.ts'
import type { AuditEventId, ClientId, EpochMs, KeyId, UserId } from '../../domain/ids.ts'
import type { PageRequest, StoreContext } from './context.ts'

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

/** Append-only: the database itself refuses to change or delete rows. */
export interface AuditLogReads {
  find(ctx: StoreContext, eventId: AuditEventId): Promise<AuditEvent | null>
  /** Newest first. */
  page(ctx: StoreContext, filter: AuditFilter, page: PageRequest<AuditEventId>): Promise<readonly AuditEvent[]>
  /** The keys with which the chains of the log were sealed. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

/**
 * The log for its followers. A read of a chain has no gaps: a writer commits one transaction at a time, with its events in
 * the order of their places and with the head. Ordinals become visible in order. A chain whose head has not changed for
 * `CHAIN_ENDED_AFTER` never changes again.
 */
export interface AuditFeedReads {
  /**
   * The heads of the chains with these ordinals, as far as they are not greater than `after`, and then the heads with greater
   * ordinals. Both parts are in ascending order. The second part has at most `limit` heads; fewer mean that there are no
   * more.
   */
  heads(ctx: StoreContext, ordinals: readonly number[], after: number, limit: number): Promise<ChainHeads>
  /**
   * The events in these ranges of different chains. The ranges must be in the byte order of their writers' ids. The events
   * are ordered by range, then place. At most `limit`; fewer mean that there are no more.
   */
  within(ctx: StoreContext, ranges: readonly ChainRange[], limit: number): Promise<readonly PlacedEvent[]>
}

/** The log as evidence: its rows and heads exactly as they are stored. */
export interface AuditChainReads {
  /** `null`: the row is missing. No version of qscope leaves the database in this state. */
  writerRegistry(ctx: StoreContext): Promise<WriterRegistry | null>
  /** In ascending order of the ordinals, after `after`. */
  heads(ctx: StoreContext, after: number, limit: number): Promise<readonly AuditHead[]>
  /** The current end of a chain. */
  head(ctx: StoreContext, writerId: string): Promise<AuditHead | null>
  /** The greatest ordinal of a head; 0 if there are no heads. */
  lastOrdinal(ctx: StoreContext): Promise<number>
  /** The next writer with rows, in byte order of the ids. */
  writerAfter(ctx: StoreContext, writerId: string): Promise<string | null>
  /** The first and the last place of a writer's rows; `null` if it has none. */
  extent(ctx: StoreContext, writerId: string): Promise<{ readonly first: number; readonly last: number } | null>
  /** The rows of a chain after a place, in order. */
  records(ctx: StoreContext, writerId: string, after: number, limit: number): Promise<readonly AuditRecord[]>
  /** The first row with this `previousHash` among the `within` places after `after`. */
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

/** Seals the rows of the audit log. The composition root passes it to the backend. */
export interface AuditSeal {
  /** Identifies the key. It is stored with each sealed row. */
  readonly keyId: KeyId
  /** 32 bytes over the hash of the previous row and every column of this row. */
  hash(record: UnsealedRecord): Buffer
  /** 32 bytes over the end of a chain. */
  headMac(head: UnsealedHead): Buffer
  /** 32 bytes over the previous total and the new writer. */
  registryTotal(before: Buffer, writer: Pick<UnsealedHead, 'ordinal' | 'writerId'>): Buffer
}

/** The position at which a background follower of the log continues. */
export interface FollowerPlace {
  /** The value that was passed to `advance`. */
  readonly position: string
  /** Starts at 1 and grows by one with each move. */
  readonly version: number
}

export interface AuditFollowerReads {
  /** `null`: no follower with this name has started yet. */
  place(ctx: StoreContext, name: string): Promise<FollowerPlace | null>
}

export interface AuditFollowerStore extends AuditFollowerReads {
  /**
   * Moves a follower from a version to the next; 0: it has not started. Of any number of concurrent calls for one version,
   * one returns `true`. After `false`, roll back.
   */
  advance(name: string, version: number, position: string, at: EpochMs): Promise<boolean>
}
