import type { CallContext } from '../context.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { SigningKeys } from '../crypto/signing-keys.ts'
import type { SigningAlgorithm } from '../domain/signing-key.ts'
import type { ReadStores } from '../stores/contract.ts'
import type { AssertionIds } from './access/assertion-ids.ts'
import type { AuthenticationFailures } from './access/authentication-failures.ts'
import type { AuthenticationGate } from './access/authentication-gate.ts'
import type { SecretUsage } from './access/secret-usage.ts'
import type { TokenBuckets } from './access/token-buckets.ts'
import type { TrustedIssuers } from './access/trusted-issuers.ts'
import type { UserCodeAttempts } from './devices/user-code-attempts.ts'
import type { LiveTokens } from './limits/live-tokens.ts'
import type { PendingDevices } from './limits/pending-devices.ts'

/** What flows share, made once by the composition root. */
export interface FlowServices {
  readonly keyring: Keyring
  readonly signingKeys: SigningKeys
  /** Of new JWTs. */
  readonly signingAlgorithm: SigningAlgorithm
  /** `iss` of what is issued, and the audience of management tokens. */
  readonly issuer: string
  readonly authenticationGate: AuthenticationGate
  readonly authenticationFailures: AuthenticationFailures
  readonly assertionIds: AssertionIds
  readonly trustedIssuers: TrustedIssuers
  readonly secretUsage: SecretUsage
  readonly userCodeAttempts: UserCodeAttempts
  readonly limits: FlowLimits
}

/** Caps that are the server's, not a client's. */
export interface FlowLimits {
  /** Tokens issued without a user, by client. */
  readonly mints: TokenBuckets
  readonly liveTokens: LiveTokens
  /** Undecided device authorizations of one client. */
  readonly pendingDeviceAuthorizations: number
  /** Device authorizations that public clients start, by address. */
  readonly publicDeviceStarts: TokenBuckets
  /** What of them is pending, by address and client. */
  readonly publicDevices: PendingDevices
  /** Polls that are noted, by device authorization. */
  readonly devicePolls: TokenBuckets
}

/** The context inside a flow: the call's, and the stores the step may use. */
export interface FlowContext<Stores = ReadStores> extends CallContext {
  readonly stores: Stores
  readonly services: FlowServices
}

/** Binds a call to stores. Prototypes are kept, so that a lazy `signal` stays lazy. */
export function withStores<Stores>(ctx: CallContext, services: FlowServices, stores: Stores): FlowContext<Stores> {
  return Object.assign(Object.create(ctx) as CallContext, { services, stores })
}
