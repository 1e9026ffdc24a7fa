import type { CallContext } from '../context.ts'
import { peerKey } from '../domain/peer-key.ts'
import { fail, HOLDS, RETRY_AFTER_MS, type Result } from '../results.ts'
import { OpenCounter } from './watch-quota.ts'

/** How many calls may wait at the same time. */
export interface WaitingLimits {
  readonly perClient: number
  readonly perPeer: number
  readonly perProcess: number
}

/** Limits the waiting calls of one kind in this process, per client, per address and in total: each uses a stream and memory. */
export class WaitingQuota {
  readonly #limits: WaitingLimits
  readonly #what: string
  readonly #open = new OpenCounter()
  #waiting = 0

  /** `what`: the plural noun for these calls in a refusal. */
  constructor(limits: WaitingLimits, what: string) {
    this.#limits = limits
    this.#what = what
  }

  /** The number of waiting calls. */
  get waiting(): number {
    return this.#waiting
  }

  /** Takes a slot, which `leave` releases. */
  enter(ctx: Pick<CallContext, 'peer' | 'caller'>): Result<object> {
    const { perClient, perPeer, perProcess } = this.#limits
    const [peer, client] = keysOf(ctx)
    if (this.#open.of(client) >= perClient) return full(client, `at most ${perClient} ${this.#what} per client`)
    if (this.#open.of(peer) >= perPeer) return full(peer, `at most ${perPeer} ${this.#what} per address`)
    if (this.#waiting >= perProcess) return full('server', `at most ${perProcess} ${this.#what} per server process`)
    this.#waiting += 1
    this.#open.opened(client)
    this.#open.opened(peer)
    return HOLDS
  }

  /** Releases the slot of a call. */
  leave(ctx: Pick<CallContext, 'peer' | 'caller'>): void {
    this.#waiting -= 1
    for (const key of keysOf(ctx)) this.#open.closed(key)
  }
}

function keysOf({ peer, caller }: Pick<CallContext, 'peer' | 'caller'>): readonly [peer: string, client: string] {
  return [`peer:${peerKey(peer)}`, `client:${clientOf(caller)}`]
}

/** A caller with a bearer token counts as the client that the token was issued to. */
function clientOf(caller: CallContext['caller']): string {
  switch (caller.kind) {
    case 'client':
      return caller.client.clientId
    case 'bearer':
      return caller.clientId
    case 'operator':
    case 'system':
    case 'anonymous':
      return caller.kind
    default:
      return caller satisfies never
  }
}

function full(subject: string, description: string) {
  return fail('limit.exceeded', { quota: { subject, description }, retryAfterMs: RETRY_AFTER_MS })
}
