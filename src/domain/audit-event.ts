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

/** One entry of the append-only log. Never holds a secret. */
export interface AuditEvent {
  /** A UUIDv7 of `createdAt`, so that ids sort by time and bound it. */
  readonly eventId: AuditEventId
  readonly type: AuditEventType
  readonly rayId: string
  readonly clientId: ClientId | null
  readonly userId: UserId | null
  readonly tokenId: TokenId | null
  readonly grantId: GrantId | null
  /** Who called; see `actorOf` in context.ts. */
  readonly actor: string
  readonly metadata: Readonly<Record<string, string>>
  readonly createdAt: EpochMs
}

/** What precedes the first row of a chain, and the first writer of the registry. */
export const NO_HASH: Buffer = Buffer.alloc(32)

/** A writer that has written nothing for so long begins another chain, whatever its clocks did. */
export const CHAIN_RENEWED_AFTER = milliseconds(12 * 3_600_000)
/** By the database's clock, a chain has ended that has not grown for so long: longer than any commit may take beyond the other one. */
export const CHAIN_ENDED_AFTER = milliseconds(24 * 3_600_000)

/** A row of the audit log without its own hash: everything that the hash covers. */
export interface UnsealedRecord {
  readonly writerId: string
  /** The place in the writer's chain: from 1, without gaps. */
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
  /** JSON with sorted keys, compared as text. */
  readonly metadata: string
  readonly createdAt: number
  readonly createdBy: string
}

/** A row of the audit log as it is stored: read to be checked, so nothing in it is believed. */
export interface AuditRecord extends UnsealedRecord {
  readonly hash: Buffer
}

/** Where the chain of one writer ends, without the MAC that says so. */
export interface UnsealedHead {
  readonly writerId: string
  /** Which writer it is: the first is 1, without gaps. */
  readonly ordinal: number
  /** How many events the chain has. */
  readonly sequence: number
  /** That of the last event; `NO_HASH` before the first. */
  readonly hash: Buffer
  readonly keyId: KeyId
}

export interface AuditHead extends UnsealedHead {
  readonly mac: Buffer
}

/** How many writers there have been, and a keyed total over who they were. */
export interface WriterRegistry {
  readonly writers: number
  readonly total: Buffer
}

/** An event at its place in a chain. */
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

/** How far a chain has come, for who follows the log. */
export interface ChainHead {
  /** The ordinal of its writer. */
  readonly ordinal: number
  readonly writerId: string
  readonly sequence: number
  /** When its writer was registered, by the clock of its instance. */
  readonly createdAt: EpochMs
  /** When it grew last, by the database's clock. */
  readonly updatedAt: EpochMs
}

/** Chains at one moment. */
export interface ChainHeads {
  /** The time by the database's clock. */
  readonly now: EpochMs
  /** In ascending order of the ordinals. */
  readonly heads: readonly ChainHead[]
}

/** The events of a chain after one place, up to and with another one. */
export interface ChainRange {
  readonly ordinal: number
  readonly writerId: string
  readonly after: number
  readonly upTo: number
}

/** An event, and its place. */
export interface PlacedEvent {
  readonly event: AuditEvent
  readonly writerId: string
  readonly sequence: number
}
