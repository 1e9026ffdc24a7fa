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

/** Append-only: the database itself refuses to change or delete what is in it. */
export interface AuditLogReads {
  find(ctx: StoreContext, eventId: AuditEventId): Promise<AuditEvent | null>
  /** Newest first. */
  page(ctx: StoreContext, filter: AuditFilter, page: PageRequest<AuditEventId>): Promise<readonly AuditEvent[]>
  /** The keys that the chains of the log were made with. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

/**
 * The log for who follows it. What a read finds of a chain has no gaps: a writer commits
 * one transaction at a time, its events in the order of their places, and the head with
 * them. Ordinals become visible in their order. A chain whose head has not changed for
 * `CHAIN_ENDED_AFTER` never changes again.
 */
export interface AuditFeedReads {
  /**
   * The heads of the chains with these ordinals, as far as they are not greater than
   * `after`, and then of those with a greater one, each in ascending order: `limit` of
   * the latter at most, fewer being all there are.
   */
  heads(ctx: StoreContext, ordinals: readonly number[], after: number, limit: number): Promise<ChainHeads>
  /**
   * The events in these ranges of different chains, which are in the byte order of their
   * writers' ids; ordered by range, then place. `limit` at most, fewer being all there are.
   */
  within(ctx: StoreContext, ranges: readonly ChainRange[], limit: number): Promise<readonly PlacedEvent[]>
}

/** The log as evidence: its rows and heads as they are stored, whatever they hold. */
export interface AuditChainReads {
  /** `null`: there is no such row, which no version of qscope leaves so. */
  writerRegistry(ctx: StoreContext): Promise<WriterRegistry | null>
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

/** Seals the rows of the audit log; given to a backend by the composition root. */
export interface AuditSeal {
  /** Names the key, and is stored beside what it sealed. */
  readonly keyId: KeyId
  /** 32 bytes over the hash of the row before it and every column of this one. */
  hash(record: UnsealedRecord): Buffer
  /** 32 bytes over where a chain ends. */
  headMac(head: UnsealedHead): Buffer
  /** 32 bytes over the total before and the writer that joins. */
  registryTotal(before: Buffer, writer: Pick<UnsealedHead, 'ordinal' | 'writerId'>): Buffer
}

/** Where one who follows the log in the background goes on. */
export interface FollowerPlace {
  /** As it was handed to `advance`. */
  readonly position: string
  /** From 1, one more with each move. */
  readonly version: number
}

export interface AuditFollowerReads {
  /** `null`: nobody of this name has followed yet. */
  place(ctx: StoreContext, name: string): Promise<FollowerPlace | null>
}

export interface AuditFollowerStore extends AuditFollowerReads {
  /**
   * Moves a follower on that is at a version; 0: it has not begun. Of any number of
   * concurrent calls for one version, one returns `true`; after `false` roll back.
   */
  advance(name: string, version: number, position: string, at: EpochMs): Promise<boolean>
}
