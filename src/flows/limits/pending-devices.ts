import type { ClientId, EpochMs, TokenHash } from '../../domain/ids.ts'
import { peerKey } from '../../domain/peer-key.ts'
import type { FlowContext } from '../context.ts'

interface Started {
  readonly hash: TokenHash
  readonly expiresAt: EpochMs
}

/** Beyond this many, the longest unused one is forgotten. */
const MAX_SHARES = 10_000

/**
 * The device authorizations that each address has started for a public client
 * in this process and that may still be pending: whoever can name the client
 * shall not use up what it may have pending for everybody.
 */
export class PendingDevices {
  readonly #shares = new Map<string, readonly Started[]>()
  /** Of one address and client: never more than half of what the client may have. */
  readonly most: number

  constructor(limits: { readonly perClient: number; readonly perPeer: number }) {
    this.most = Math.min(limits.perPeer, Math.max(1, Math.floor(limits.perClient / 2)))
  }

  isFull(ctx: Pick<FlowContext, 'peer' | 'now'>, clientId: ClientId): boolean {
    return this.#pending(ctx, clientId).length >= this.most
  }

  /** Forgets the decided ones of a full share, wherever they were decided. */
  async review(ctx: FlowContext, clientId: ClientId): Promise<void> {
    const { deviceAuthorizations } = ctx.stores
    const looked = this.#pending(ctx, clientId)
    const found = await Promise.all(looked.map(({ hash }) => deviceAuthorizations.findByDeviceCode(ctx, hash)))
    const ended = new Set(looked.filter((_, at) => found[at]?.authorization.decision !== 'pending'))
    const left = this.#pending(ctx, clientId).filter((each) => !ended.has(each))
    this.#shares.set(keyOf(ctx, clientId), left)
  }

  add(ctx: Pick<FlowContext, 'peer' | 'now'>, clientId: ClientId, started: Started): void {
    const key = keyOf(ctx, clientId)
    const pending = this.#pending(ctx, clientId)
    this.#shares.delete(key)
    this.#shares.set(key, [...pending, started])
    const [oldest] = this.#shares.keys()
    if (this.#shares.size > MAX_SHARES && oldest !== undefined) this.#shares.delete(oldest)
  }

  #pending(ctx: Pick<FlowContext, 'peer' | 'now'>, clientId: ClientId): readonly Started[] {
    return (this.#shares.get(keyOf(ctx, clientId)) ?? []).filter(({ expiresAt }) => expiresAt > ctx.now)
  }
}

function keyOf({ peer }: Pick<FlowContext, 'peer'>, clientId: ClientId): string {
  return `${peerKey(peer)} ${clientId}`
}
