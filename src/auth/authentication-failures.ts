import { auditEvent } from '../audit-event.ts'
import { backgroundContext, type CallContext } from '../context.ts'
import { type ClientId, isRegistrableClientId } from '../domain/ids.ts'
import { peerKey } from '../domain/peer-key.ts'
import { holdsSecret } from '../domain/secret-text.ts'
import type { CounterSync } from '../rate-limits/counter-sync.ts'
import { RateLimiter } from '../rate-limits/rate-limiter.ts'
import type { Backend } from '../stores/contract/backend.ts'

const PER_PEER = { burst: 20, perMinute: 20 }
const PER_CLIENT = { burst: 20, perMinute: 20 }
const OVERALL = { burst: 200, perMinute: 200 }

/** All unknown ids share one bucket, so that guessing ids fills no memory. */
const UNKNOWN = ''
const ALL = ''

export interface AuthenticationFailure {
  /** As presented. */
  readonly clientId: string
  /** Whether there is such a client. */
  readonly known: boolean
}

/** Is told in the path of calls, so it is quick and never throws. */
export interface AuthenticationObserver {
  /** An audit event that no call waits for could not be written. */
  auditWriteFailed(): void
}

type AuditedContext = Pick<CallContext, 'rayId' | 'now' | 'log' | 'caller' | 'peer'>

/**
 * Records failed client authentications in the audit log, limited so that they
 * cannot flood it. The `BruteForceGuard` decides whether more may be attempted.
 * Nobody waits for the record: an answer that took longer for a recorded failure
 * would tell known ids from unknown ones.
 */
export class AuthenticationFailures {
  readonly #backend: Pick<Backend, 'append'>
  readonly #peers: RateLimiter
  readonly #clients: RateLimiter
  readonly #overall: RateLimiter
  readonly #observer: AuthenticationObserver | undefined

  constructor(backend: Pick<Backend, 'append'>, counterSync: CounterSync, observer?: AuthenticationObserver) {
    this.#backend = backend
    this.#observer = observer
    this.#peers = new RateLimiter(PER_PEER, { counterSync, name: 'recorded-failures-of-peers' })
    this.#clients = new RateLimiter(PER_CLIENT, { counterSync, name: 'recorded-failures-of-clients' })
    this.#overall = new RateLimiter(OVERALL, { counterSync, name: 'recorded-failures' })
  }

  report(ctx: AuditedContext, failure: AuthenticationFailure): void {
    const bucket = failure.known ? failure.clientId : UNKNOWN
    const recorded =
      this.#peers.take(peerKey(ctx.peer), ctx.now) &&
      this.#clients.take(bucket, ctx.now) &&
      this.#overall.take(ALL, ctx.now)
    if (!recorded) return
    const event = auditEvent(ctx, 'client.authentication_failed', {
      clientId: failure.known ? (failure.clientId as ClientId) : null,
      metadata: { peer: ctx.peer, ...presentable(failure.clientId) },
    })
    this.#backend
      // It outlives the call that caused it.
      .append(backgroundContext(ctx.rayId, ctx.log, ctx.now), (stores) => stores.auditLog.append(event))
      .catch((error: unknown) => {
        this.#observer?.auditWriteFailed()
        ctx.log.error({ rayId: ctx.rayId, err: error }, 'a failed authentication could not be recorded')
      })
  }
}

/** The presented id, unless it may be a secret in the wrong place. */
function presentable(claimed: string): Record<string, string> {
  return isRegistrableClientId(claimed) && !holdsSecret(claimed) ? { presented_client_id: claimed } : {}
}
