import type { AuditEventId, ClientId, EpochMs, GrantId, KeyId, TokenId, UserId } from './ids.ts'

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
