import type { AuditEventId, ClientId, EpochMs, GrantId, TokenId, UserId } from './ids.ts'

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
