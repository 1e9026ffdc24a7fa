import { BoundedMap } from '../bounded-map.ts'
import type { CallContext } from '../context.ts'
import { peerKey } from '../domain/peer-key.ts'
import { type CounterSync, fingerprinter, type PublishCount, UnsharedCounters } from '../rate-limits/counter-sync.ts'
import { type RateLimit, RateLimiter } from '../rate-limits/rate-limiter.ts'
import { fail, HOLDS, type Result } from '../results.ts'
import type { ClientProof } from './credentials.ts'

/** The longest id that a client can have; what is longer is nobody's, and need not be told apart. */
const LONGEST_ID = 128
const MAX_PROVEN = 10_000
/**
 * What one address may fail where a secret takes long to verify, some 0.3 s of a core: as one client, and as any. That is
 * a share of what it may fail otherwise, so that more is allowed where many clients share one address, but no less than
 * so much, which is a tenth of a core in the long run.
 */
const SLOW_OF_CLIENT: SlowShare = Object.freeze({ share: 1 / 10, least: { burst: 10, perMinute: 6 } })
const SLOW_OF_PEER: SlowShare = Object.freeze({ share: 1 / 50, least: { burst: 20, perMinute: 20 } })

interface SlowShare {
  readonly share: number
  readonly least: RateLimit
}

/** A client that wants to prove itself. */
export interface ClientAttempt {
  readonly clientId: string
  readonly proof: ClientProof
}

/** What a caller shows to be let in. */
type Attempt = ClientAttempt | { readonly bearer: string }

/**
 * Slows down whoever guesses: an address that failed too often, as one client
 * or as any, is refused before anything is looked up. Nobody is locked out by
 * others: no limit spans addresses, and a proof that was right lately passes
 * whatever its address has done, so that a guesser behind the same proxy does
 * not keep the owner of the secret away. It is still verified, of course.
 *
 * Ids are told apart as presented, existing or not, so that the limit says
 * nothing about which exist. Bearer tokens are told apart by nothing, and have a
 * limit of their own: an application whose token has expired does not keep its
 * neighbours' clients away. Only failures count: calls under way at once when the
 * limit is reached may exceed it.
 */
export class BruteForceGuard {
  readonly #clients: RateLimiter
  readonly #peers: RateLimiter
  readonly #bearers: RateLimiter
  /** Those of attempts that take long to verify count here as well. */
  readonly #slowClients: RateLimiter
  readonly #slowPeers: RateLimiter
  readonly #fingerprint: (secret: string) => string
  /** Fingerprints of proofs that were right, the longest unused one first. */
  readonly #proven = new BoundedMap<string, true>(MAX_PROVEN)
  /** Of a proof that became right (1), or is no more (-1). */
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

  /** Refuses an attempt that has to wait, before anything is looked up for it. */
  admit(ctx: Pick<CallContext, 'peer' | 'now' | 'certificate'>, attempt: Attempt): Result<object> {
    const peer = peerKey(ctx.peer)
    const wait = this.#waitOf(ctx, peer, attempt)
    if (wait === 0) return HOLDS
    const name = this.#nameOf(ctx, attempt)
    if (name !== null && this.#proven.has(name)) return HOLDS
    return refusal(peer, attempt, wait)
  }

  /**
   * Counts an attempt as failed before it is verified, for one that takes long to
   * verify; refuses it where as many as may fail are under way, or lately failed. `uncount` takes it back.
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

  /** Takes back what was counted: the attempt did not fail. */
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
    // What was right once, such as a revoked secret, is a guess like any other now.
    if (name !== null && this.#proven.delete(name)) this.#publishProven(name, -1)
  }

  #waitOf({ now }: Pick<CallContext, 'now'>, peer: string, attempt: Attempt): number {
    if ('bearer' in attempt) return this.#bearers.waitFor(peer, now)
    return Math.max(this.#clients.waitFor(pairOf(peer, attempt), now), this.#peers.waitFor(peer, now))
  }

  /** `null`: the proof is never the same twice. */
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
