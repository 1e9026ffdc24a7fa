import { isPrincipalActive, type PrincipalStatus } from './grant.ts'
import type {
  ClientId,
  DeviceAuthorizationId,
  EpochMs,
  GrantId,
  KeyId,
  Milliseconds,
  TokenHash,
  UserCodeHash,
} from './ids.ts'

/** The stored decisions. Expiry is derived from the clock. */
export const DEVICE_DECISIONS = Object.freeze(['pending', 'approved', 'denied', 'redeemed'] as const)
export type DeviceDecision = (typeof DEVICE_DECISIONS)[number]

/** A stored device authorization (RFC 8628): everything but its codes. */
export interface DeviceAuthorization {
  readonly deviceAuthorizationId: DeviceAuthorizationId
  readonly deviceCodeHash: TokenHash
  readonly userCodeHash: UserCodeHash
  /** The pepper of the user code's hash. */
  readonly userCodeKeyId: KeyId
  readonly clientId: ClientId
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  /** The client's token generation at the start. */
  readonly clientGeneration: number
  readonly decision: DeviceDecision
  /** Increases by 5 s with every poll that comes too soon, and never decreases. */
  readonly pollInterval: Milliseconds
  readonly lastPolledAt: EpochMs | null
  /** The consent. Set on approval. */
  readonly grantId: GrantId | null
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly expiresAt: EpochMs
  readonly rayId: string
}

export interface DeviceAuthorizationStatus {
  readonly authorization: DeviceAuthorization
  readonly client: PrincipalStatus & { readonly displayName: string }
}

export type DeviceState = DeviceDecision | 'expired'

/** The current state. `expired` if it was not used in time, or if its client was disabled or revoked in the meantime. */
export function deviceStateOf({ authorization, client }: DeviceAuthorizationStatus, now: EpochMs): DeviceState {
  const { decision, expiresAt, clientGeneration } = authorization
  if (decision === 'redeemed' || decision === 'denied') return decision
  return now < expiresAt && isPrincipalActive(client, clientGeneration) ? decision : 'expired'
}
