import {
  type AuditEventId,
  type ClientId,
  type EpochMs,
  type GrantId,
  type KeyId,
  milliseconds,
  type TokenId,
  type UserId,
} from './ids.ts'

export const AUDIT_EVENT_TYPES = Object.freeze([
  'client.registered',
  'client.updated',
  'client.enabled',
  'client.disabled',
  'client.deleted',
  'client.secret_rotated',
  'client.secret_revoked',
  'client.authentication_failed',
  'authorization.granted',
  'authorization_code.reused',
  'token.issued',
  'token.refreshed',
  'token.exchanged',
  'token.revoked',
  'tokens.revoked',
  'refresh_token.reused',
  'device.started',
  'device.approved',
  'device.denied',
  'device.redeemed',
  'user.registered',
  'user.updated',
  'user.deactivated',
  'user.reactivated',
  'user.deleted',
  'key.created',
  'key.activated',
  'key.retired',
  'key.revoked',
  'trust.issuer_created',
  'trust.issuer_updated',
  'trust.issuer_deleted',
] as const)

export type AuditEventType = (typeof AUDIT_EVENT_TYPES)[number]

/** One entry of the append-only log. It never holds a secret. */
export interface AuditEvent {
  /** A UUIDv7 of `createdAt`. Ids therefore sort by time. */
  readonly eventId: AuditEventId
  readonly type: AuditEventType
  readonly rayId: string
  readonly clientId: ClientId | null
  readonly userId: UserId | null
  readonly tokenId: TokenId | null
  readonly grantId: GrantId | null
  /** The caller. See `actorOf` in context.ts. */
  readonly actor: string
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAt: EpochMs
}

/** The hash before the first row of a chain, and before the first writer of the registry. */
export const NO_HASH: Buffer = Buffer.alloc(32)

/** After this idle time a writer starts another chain, whatever its clocks show. */
export const CHAIN_RENEWED_AFTER = milliseconds(12 * 3_600_000)
/**
 * A chain that has not grown for this time, by the database's clock, has ended. The difference to the time above exceeds the
 * duration of any commit.
 */
export const CHAIN_ENDED_AFTER = milliseconds(24 * 3_600_000)

/** A row of the audit log without its own hash: everything that the hash covers. */
export interface UnsealedRecord {
  readonly writerId: string
  /** The place in the writer's chain, from 1, without gaps. */
  readonly sequence: number
  readonly previousHash: Buffer
  readonly keyId: KeyId
  readonly eventId: string
  readonly eventType: string
  readonly rayId: string
  readonly clientId: string | null
  readonly userId: string | null
  readonly tokenId: string | null
  readonly grantId: string | null
  readonly actor: string
  /** JSON with sorted keys. It is compared as text. */
  readonly metadata: string
  readonly createdAt: number
  readonly createdBy: string
}

/** A stored row of the audit log. It is read for verification, so its content is not trusted. */
export interface AuditRecord extends UnsealedRecord {
  readonly hash: Buffer
}

/** The end of one writer's chain, without its MAC. */
export interface UnsealedHead {
  readonly writerId: string
  /** The number of the writer, from 1, without gaps. */
  readonly ordinal: number
  /** The number of events in the chain. */
  readonly sequence: number
  /** The hash of the last event. `NO_HASH` before the first. */
  readonly hash: Buffer
  readonly keyId: KeyId
}

export interface AuditHead extends UnsealedHead {
  readonly mac: Buffer
}

/** The number of writers so far, and a keyed total over the set of them. */
export interface WriterRegistry {
  readonly writers: number
  readonly total: Buffer
}

/** The record of an event at its place in a chain. */
export function recordOf(
  event: AuditEvent,
  place: Pick<UnsealedRecord, 'writerId' | 'sequence' | 'previousHash' | 'keyId'>,
): UnsealedRecord {
  const metadata = Object.entries(event.metadata).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    ...place,
    eventId: event.eventId,
    eventType: event.type,
    rayId: event.rayId,
    clientId: event.clientId,
    userId: event.userId,
    tokenId: event.tokenId,
    grantId: event.grantId,
    actor: event.actor,
    metadata: JSON.stringify(Object.fromEntries(metadata)),
    createdAt: event.createdAt,
    createdBy: event.actor,
  }
}

/** The end of a chain, for readers that follow the log. */
export interface ChainHead {
  /** The ordinal of the chain's writer. */
  readonly ordinal: number
  readonly writerId: string
  readonly sequence: number
  /** When the writer was registered, by its instance's clock. */
  readonly createdAt: EpochMs
  /** When the chain last grew, by the database's clock. */
  readonly updatedAt: EpochMs
}

/** The chains at one moment. */
export interface ChainHeads {
  /** The time by the database's clock. */
  readonly now: EpochMs
  /** In ascending order of the ordinals. */
  readonly heads: readonly ChainHead[]
}

/** The events of a chain after one place, up to and including another. */
export interface ChainRange {
  readonly ordinal: number
  readonly writerId: string
  readonly after: number
  readonly upTo: number
}

/** An event and its place. */
export interface PlacedEvent {
  readonly event: AuditEvent
  readonly writerId: string
  readonly sequence: number
}
