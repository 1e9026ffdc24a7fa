import { BoundedMap } from '../bounded-map.ts'
import type { CallContext } from '../context.ts'
import { peerKey } from '../domain/peer-key.ts'
import { type CounterSync, fingerprinter, type PublishCount, UnsharedCounters } from '../rate-limits/counter-sync.ts'
import { type RateLimit, RateLimiter } from '../rate-limits/rate-limiter.ts'
import { fail, HOLDS, type Result } from '../results.ts'
import type { ClientProof } from './credentials.ts'

/** The maximum length of a client id. Longer ids exist for no client, so they need not be distinguished. */
const LONGEST_ID = 128
const MAX_PROVEN = 10_000
/**
 * The failures allowed for one address if verifying a secret takes long (some 0.3 s of a core): for one client, and for
 * all clients together. Each is a share of the usual limit, so that a raised limit for addresses with many clients
 * applies here too. The minimum is a tenth of a core in the long run.
 */
const SLOW_OF_CLIENT: SlowShare = Object.freeze({ share: 1 / 10, least: { burst: 10, perMinute: 6 } })
const SLOW_OF_PEER: SlowShare = Object.freeze({ share: 1 / 50, least: { burst: 20, perMinute: 20 } })

interface SlowShare {
  readonly share: number
  readonly least: RateLimit
}

/** An attempt to authenticate as a client. */
export interface ClientAttempt {
  readonly clientId: string
  readonly proof: ClientProof
}

/** The credentials that a caller presents. */
type Attempt = ClientAttempt | { readonly bearer: string }

/**
 * Limits guessing. An address with too many failures, for one client or in total, is refused before any look-up. No
 * caller can lock out another: no limit spans addresses, and a credential that was valid recently passes regardless of
 * its address. So a guesser behind the same proxy does not lock out the owner of the secret. The credential is still
 * verified.
 *
 * Ids are distinguished as presented, existing or not, so the limit does not reveal which exist. Bearer tokens are not
 * distinguished, and have a limit of their own: an application with an expired token does not lock out other clients at
 * its address. Only failures count, so calls that are under way when the limit is reached may exceed it.
 */
export class BruteForceGuard {
  readonly #clients: RateLimiter
  readonly #peers: RateLimiter
  readonly #bearers: RateLimiter
  /** Also counts attempts that take long to verify. */
  readonly #slowClients: RateLimiter
  readonly #slowPeers: RateLimiter
  readonly #fingerprint: (secret: string) => string
  /** Fingerprints of credentials that were valid, least recently used first. */
  readonly #proven = new BoundedMap<string, true>(MAX_PROVEN)
  /** Publishes a credential that became valid (1) or invalid (-1). */
  readonly #publishProven: PublishCount

  constructor(
    limits: { readonly perClient: RateLimit | null; readonly perPeer: RateLimit | null },
    counterSync: CounterSync = new UnsharedCounters(),
  ) {
    this.#clients = new RateLimiter(limits.perClient, { counterSync, name: 'authentication-failures-of-clients' })
    this.#peers = new RateLimiter(limits.perPeer, { counterSync, name: 'authentication-failures-of-peers' })
    this.#bearers = new RateLimiter(limits.perPeer, { counterSync, name: 'bearer-failures-of-peers' })
    this.#slowClients = new RateLimiter(ofSlow(limits.perClient, SLOW_OF_CLIENT), {
      counterSync,
      name: 'slow-failures-of-clients',
    })
    this.#slowPeers = new RateLimiter(ofSlow(limits.perPeer, SLOW_OF_PEER), {
      counterSync,
      name: 'slow-failures-of-peers',
    })
    this.#fingerprint = fingerprinter(counterSync.fingerprintKey)
    this.#publishProven = counterSync.subscribe('proofs', (name, count) => {
      if (count > 0) this.#proven.set(name, true)
      else if (count < 0) this.#proven.delete(name)
    })
  }

  /** Refuses an attempt that is over the limit, before any look-up for it. */
  admit(ctx: Pick<CallContext, 'peer' | 'now' | 'certificate'>, attempt: Attempt): Result<object> {
    const peer = peerKey(ctx.peer)
    const wait = this.#waitOf(ctx, peer, attempt)
    if (wait === 0) return HOLDS
    const name = this.#nameOf(ctx, attempt)
    if (name !== null && this.#proven.has(name)) return HOLDS
    return refusal(peer, attempt, wait)
  }

  /**
   * Counts an attempt that takes long to verify as failed before its verification. Refuses it if recent failures and
   * attempts under way reach the limit. `uncount` reverses this.
   */
  count(ctx: Pick<CallContext, 'peer' | 'now'>, attempt: ClientAttempt): Result<object> {
    const peer = peerKey(ctx.peer)
    const pair = pairOf(peer, attempt)
    const wait = Math.max(
      this.#waitOf(ctx, peer, attempt),
      this.#slowClients.waitFor(pair, ctx.now),
      this.#slowPeers.waitFor(peer, ctx.now),
    )
    if (wait > 0) return refusal(peer, attempt, wait)
    for (const clients of [this.#clients, this.#slowClients]) clients.take(pair, ctx.now)
    for (const peers of [this.#peers, this.#slowPeers]) peers.take(peer, ctx.now)
    return HOLDS
  }

  /** Reverses `count`: the attempt did not fail. */
  uncount(ctx: Pick<CallContext, 'peer'>, attempt: ClientAttempt): void {
    const peer = peerKey(ctx.peer)
    for (const clients of [this.#clients, this.#slowClients]) clients.giveBack(pairOf(peer, attempt))
    for (const peers of [this.#peers, this.#slowPeers]) peers.giveBack(peer)
  }

  succeeded(ctx: Pick<CallContext, 'certificate'>, attempt: Attempt): void {
    const name = this.#nameOf(ctx, attempt)
    if (name === null) return
    if (!this.#proven.has(name)) this.#publishProven(name, 1)
    this.#proven.set(name, true)
  }

  failed(ctx: Pick<CallContext, 'peer' | 'now' | 'certificate'>, attempt: Attempt): void {
    const peer = peerKey(ctx.peer)
    if ('bearer' in attempt) this.#bearers.take(peer, ctx.now)
    else {
      this.#clients.take(pairOf(peer, attempt), ctx.now)
      this.#peers.take(peer, ctx.now)
    }
    const name = this.#nameOf(ctx, attempt)
    // A credential that was valid once, such as a revoked secret, now counts as a guess.
    if (name !== null && this.#proven.delete(name)) this.#publishProven(name, -1)
  }

  #waitOf({ now }: Pick<CallContext, 'now'>, peer: string, attempt: Attempt): number {
    if ('bearer' in attempt) return this.#bearers.waitFor(peer, now)
    return Math.max(this.#clients.waitFor(pairOf(peer, attempt), now), this.#peers.waitFor(peer, now))
  }

  /** `null`: the credential is different for each attempt. */
  #nameOf({ certificate }: Pick<CallContext, 'certificate'>, attempt: Attempt): string | null {
    if ('bearer' in attempt) return this.#fingerprint(`bearer ${attempt.bearer}`)
    const { clientId, proof } = attempt
    switch (proof.kind) {
      case 'secret':
        return this.#fingerprint(`secret ${clientId} ${proof.secret}`)
      case 'none':
        return this.#fingerprint(`certificate ${clientId} ${certificate?.thumbprint ?? ''}`)
      case 'assertion':
        return null
      default:
        return proof satisfies never
    }
  }
}

function ofSlow(configured: RateLimit | null, { share, least }: SlowShare): RateLimit | null {
  if (configured === null) return null
  return {
    burst: Math.max(least.burst, Math.floor(configured.burst * share)),
    perMinute: Math.max(least.perMinute, configured.perMinute * share),
  }
}

function refusal(peer: string, attempt: Attempt, wait: number): Result<never> {
  const what = 'bearer' in attempt ? 'bearer tokens' : 'client authentications'
  const description = `too many failed ${what} from this address`
  return fail('limit.exceeded', { quota: { subject: `peer:${peer}`, description }, retryAfterMs: wait })
}

function pairOf(peer: string, { clientId }: ClientAttempt): string {
  return `${peer} ${clientId.slice(0, LONGEST_ID + 1)}`
}
