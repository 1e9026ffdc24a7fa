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

/** What has been decided and done; running out is a matter of the clock. */
export const DEVICE_DECISIONS = Object.freeze(['pending', 'approved', 'denied', 'redeemed'] as const)
export type DeviceDecision = (typeof DEVICE_DECISIONS)[number]

/** A device authorization as it is stored (RFC 8628): everything but its codes. */
export interface DeviceAuthorization {
  readonly deviceAuthorizationId: DeviceAuthorizationId
  readonly deviceCodeHash: TokenHash
  readonly userCodeHash: UserCodeHash
  /** The pepper the user code was hashed under. */
  readonly userCodeKeyId: KeyId
  readonly clientId: ClientId
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  /** The client's token generation when it was started. */
  readonly clientGeneration: number
  readonly decision: DeviceDecision
  /** Grows by 5 s with every poll that comes too soon, for good. */
  readonly pollInterval: Milliseconds
  readonly lastPolledAt: EpochMs | null
  /** The consent; set when approved. */
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

/** How far it has come: what was not used in time, or whose client was shut out meanwhile, has expired. */
export function deviceStateOf({ authorization, client }: DeviceAuthorizationStatus, now: EpochMs): DeviceState {
  const { decision, expiresAt, clientGeneration } = authorization
  if (decision === 'redeemed' || decision === 'denied') return decision
  return now < expiresAt && isPrincipalActive(client, clientGeneration) ? decision : 'expired'
}
