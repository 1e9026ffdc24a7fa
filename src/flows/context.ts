import type { AccessTokenVerifier } from '../auth/access-token-verifier.ts'
import type { AssertionExaminer } from '../auth/assertion-examiner.ts'
import type { JtiReplayGuard } from '../auth/jti-replay-guard.ts'
import type { TrustedIssuers } from '../auth/trusted-issuers.ts'
import type { CallContext, Caller, Logger, Span } from '../context.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { RevocationKeys } from '../crypto/revocation-keys.ts'
import type { SigningKeys } from '../crypto/signing-keys.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { SigningAlgorithm } from '../domain/signing-key.ts'
import type { RuleEvaluator } from '../expressions/rule-expressions.ts'
import type { LiveTokenQuota } from '../rate-limits/live-token-quota.ts'
import type { PendingDeviceQuota } from '../rate-limits/pending-device-quota.ts'
import type { RateLimiter } from '../rate-limits/rate-limiter.ts'
import type { UserCodeAttempts } from '../rate-limits/user-code-attempts.ts'
import type { ReadStores } from '../stores/contract/backend.ts'

/** The services that flows share. The composition root creates them once. */
export interface FlowServices {
  readonly keyring: Keyring
  readonly signingKeys: SigningKeys
  /** Derives the keys of the facts that can revoke a token. */
  readonly revocationKeys: RevocationKeys
  /** The algorithm of new JWTs. */
  readonly signingAlgorithm: SigningAlgorithm
  /** The `iss` of issued tokens, and the audience of management tokens. */
  readonly issuer: string
  readonly accessTokens: AccessTokenVerifier
  readonly jtiReplayGuard: JtiReplayGuard
  readonly trustedIssuers: TrustedIssuers
  readonly ruleEvaluator: RuleEvaluator
  readonly assertionExaminer: AssertionExaminer
  readonly clock: IssuingClock
  readonly limits: FlowLimits
}

/** Decides whether this machine's clock is accurate enough to issue tokens. */
export interface IssuingClock {
  isRight(): boolean | Promise<boolean>
}

/** Limits of the server, as opposed to those of a client. */
export interface FlowLimits {
  /** Tokens issued without a user, by client. */
  readonly mints: RateLimiter
  readonly liveTokens: LiveTokenQuota
  /** Wrong user codes, by front end and end user. */
  readonly userCodeAttempts: UserCodeAttempts
  /** Undecided device authorizations of one client. */
  readonly pendingDeviceAuthorizations: number
  /** Issuers in the database. */
  readonly trustedIssuers: number
  /** Device authorizations that public clients start, by address. */
  readonly publicDeviceStarts: RateLimiter
  /** Pending device authorizations of public clients, by address and client. */
  readonly publicDevices: PendingDeviceQuota
  /** Reports of leaked tokens, by address. */
  readonly leakReports: RateLimiter
  /** Recorded polls, by device authorization. */
  readonly devicePolls: RateLimiter
}

/** A call as its flow sees it. Only long-running calls authenticate their caller again, outside of flows. */
type CallOfFlow = Omit<CallContext, 'reauthenticate' | 'connectionEnds' | 'leaveAdmission'>

/** A call, and the stores of a lane: the context of postconditions and effects. A rollback undoes their writes. */
export interface LaneContext<Stores> extends CallOfFlow {
  readonly stores: Stores
}

/** A call, the committed data, and the shared services: the context of the other parts of a flow. */
export interface FlowContext extends LaneContext<ReadStores> {
  readonly services: FlowServices
}

/**
 * Binds a call to the stores of a lane. The signal and the certificate stay lazy. It has fields of its own instead of a
 * prototype, because objects that become prototypes are slow to create.
 */
export class LaneCall<Stores> implements LaneContext<Stores> {
  readonly stores: Stores
  readonly call: CallContext
  readonly rayId: string
  readonly now: EpochMs
  readonly deadline: EpochMs | null
  readonly log: Logger
  readonly caller: Caller
  readonly peer: string
  readonly span: Span | undefined

  constructor(call: CallContext, stores: Stores) {
    this.stores = stores
    this.call = call
    this.rayId = call.rayId
    this.now = call.now
    this.deadline = call.deadline
    this.log = call.log
    this.caller = call.caller
    this.peer = call.peer
    this.span = call.span
  }

  get signal(): AbortSignal {
    return this.call.signal
  }

  get certificate(): CallContext['certificate'] {
    return this.call.certificate
  }
}

/** Binds a call to the committed data and the shared services. */
export class FlowCall extends LaneCall<ReadStores> implements FlowContext {
  readonly services: FlowServices

  constructor(call: CallContext, stores: ReadStores, services: FlowServices) {
    super(call, stores)
    this.services = services
  }
}
