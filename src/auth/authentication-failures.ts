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

/** All unknown ids share one bucket, so guessed ids use no memory. */
const UNKNOWN = ''
const ALL = ''

export interface AuthenticationFailure {
  /** As presented. */
  readonly clientId: string
  /** Whether a client with this id exists. */
  readonly known: boolean
}

/** Called in the path of calls, so it must be fast and must not throw. */
export interface AuthenticationObserver {
  /** An audit event that is written in the background could not be written. */
  auditWriteFailed(): void
}

type AuditedContext = Pick<CallContext, 'rayId' | 'now' | 'log' | 'caller' | 'peer'>

/**
 * Records failed client authentications in the audit log, with a limit so that they cannot flood it. `BruteForceGuard`
 * decides whether further attempts are allowed. Calls do not wait for the record: a longer answer time for a recorded
 * failure would distinguish known ids from unknown ones.
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
      // The write may outlast the call that caused it.
      .append(backgroundContext(ctx.rayId, ctx.log, ctx.now), (stores) => stores.auditLog.append(event))
      .catch((error: unknown) => {
        this.#observer?.auditWriteFailed()
        ctx.log.error({ rayId: ctx.rayId, err: error }, 'a failed authentication could not be recorded')
      })
  }
}

/** The presented id, unless it may be a secret in the wrong field. */
function presentable(claimed: string): Record<string, string> {
  return isRegistrableClientId(claimed) && !holdsSecret(claimed) ? { presented_client_id: claimed } : {}
}
