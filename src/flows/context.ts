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

/** What flows share, made once by the composition root. */
export interface FlowServices {
  readonly keyring: Keyring
  readonly signingKeys: SigningKeys
  /** Of the facts that can end a token. */
  readonly revocationKeys: RevocationKeys
  /** Of new JWTs. */
  readonly signingAlgorithm: SigningAlgorithm
  /** `iss` of what is issued, and the audience of management tokens. */
  readonly issuer: string
  readonly accessTokens: AccessTokenVerifier
  readonly jtiReplayGuard: JtiReplayGuard
  readonly trustedIssuers: TrustedIssuers
  readonly ruleEvaluator: RuleEvaluator
  readonly assertionExaminer: AssertionExaminer
  readonly clock: IssuingClock
  readonly limits: FlowLimits
}

/** Says whether this machine's clock may be trusted for how long tokens live. */
export interface IssuingClock {
  isRight(): boolean | Promise<boolean>
}

/** Caps that are the server's, not a client's. */
export interface FlowLimits {
  /** Tokens issued without a user, by client. */
  readonly mints: RateLimiter
  readonly liveTokens: LiveTokenQuota
  /** Wrong user codes, by front-end and end user. */
  readonly userCodeAttempts: UserCodeAttempts
  /** Undecided device authorizations of one client. */
  readonly pendingDeviceAuthorizations: number
  /** Device authorizations that public clients start, by address. */
  readonly publicDeviceStarts: RateLimiter
  /** What of them is pending, by address and client. */
  readonly publicDevices: PendingDeviceQuota
  /** Leaked tokens that are reported, by address. */
  readonly leakReports: RateLimiter
  /** Polls that are noted, by device authorization. */
  readonly devicePolls: RateLimiter
}

/** A call as its flow sees it. To prove its caller again is for those who wait, outside of flows. */
type CallOfFlow = Omit<CallContext, 'reauthenticate' | 'connectionEnds' | 'leaveAdmission'>

/** A call, and the stores of a lane: what postconditions and effects see. What they do is undone by a rollback. */
export interface LaneContext<Stores> extends CallOfFlow {
  readonly stores: Stores
}

/** A call, what is committed, and what the server's flows share: what the other parts of a flow see. */
export interface FlowContext extends LaneContext<ReadStores> {
  readonly services: FlowServices
}

/**
 * Binds a call to the stores of a lane. The signal and the certificate stay lazy.
 * Fields of its own, not a prototype: objects that become prototypes are slow to make.
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

/** Binds a call to what is committed, and to what flows share. */
export class FlowCall extends LaneCall<ReadStores> implements FlowContext {
  readonly services: FlowServices

  constructor(call: CallContext, stores: ReadStores, services: FlowServices) {
    super(call, stores)
    this.services = services
  }
}
