import { BoundedMap } from '../bounded-map.ts'
import type { CallContext } from '../context.ts'
import { type ClientId, type EpochMs, epochMs, type TokenHash } from '../domain/ids.ts'
import { peerKey } from '../domain/peer-key.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import type { DeviceAuthorizationReads } from '../stores/contract/device-authorizations.ts'
import type { CounterSync, PublishCount } from './counter-sync.ts'

interface Started {
  readonly hash: TokenHash
  readonly expiresAt: EpochMs
}

/** One that counts; `since` on a clock that is never put back, in milliseconds. */
interface Counted extends Started {
  readonly since: number
}

/** It counts before its commit, and cannot be found until then. After this long, what is not found was rolled back. */
const LONGEST_COMMIT_MS = 60_000

/** Beyond this many, the longest unused one is forgotten. */
const MAX_SHARES = 10_000

/**
 * The device authorizations that each address has started for a public client
 * in these processes and that may still be pending: whoever can name the client
 * shall not use up what it may have pending for everybody.
 */
export class PendingDeviceQuota {
  readonly #shares = new BoundedMap<string, readonly Counted[]>(MAX_SHARES)
  /** Of one address and client: never more than half of what the client may have. */
  readonly most: number
  readonly #tell: PublishCount

  constructor(limits: { readonly perClient: number; readonly perPeer: number }, counterSync: CounterSync) {
    this.most = Math.min(limits.perPeer, Math.max(1, Math.floor(limits.perClient / 2)))
    this.#tell = counterSync.subscribe('pending-devices', (told) => {
      const { key, started } = readStart(told)
      this.#add(key, started)
    })
  }

  isFull(ctx: Pick<CallContext, 'peer' | 'now'>, clientId: ClientId): boolean {
    return this.#pending(ctx, clientId).length >= this.most
  }

  /** Forgets the decided ones of a full share, wherever they were decided. */
  async review(
    ctx: StoreContext & Pick<CallContext, 'peer'>,
    clientId: ClientId,
    deviceAuthorizations: Pick<DeviceAuthorizationReads, 'findByDeviceCode'>,
  ): Promise<void> {
    const looked = this.#pending(ctx, clientId)
    const found = await Promise.all(looked.map(({ hash }) => deviceAuthorizations.findByDeviceCode(ctx, hash)))
    const now = performance.now()
    const ended = new Set(
      looked.filter(({ since }, at) => {
        const decision = found[at]?.authorization.decision
        return decision === undefined ? now - since > LONGEST_COMMIT_MS : decision !== 'pending'
      }),
    )
    const left = this.#pending(ctx, clientId).filter((each) => !ended.has(each))
    this.#shares.set(keyOf(ctx, clientId), left)
  }

  add(ctx: Pick<CallContext, 'peer' | 'now'>, clientId: ClientId, started: Started): void {
    const key = keyOf(ctx, clientId)
    this.#shares.set(key, this.#pending(ctx, clientId))
    this.#add(key, started)
    this.#tell(writeStart(key, started), 1)
  }

  #add(key: string, started: Started): void {
    const before = this.#shares.get(key) ?? []
    this.#shares.set(key, [...before, { ...started, since: performance.now() }])
  }

  #pending(ctx: Pick<CallContext, 'peer' | 'now'>, clientId: ClientId): readonly Counted[] {
    return (this.#shares.get(keyOf(ctx, clientId)) ?? []).filter(({ expiresAt }) => expiresAt > ctx.now)
  }
}

/** One that was started, as a key of a count that is one. */
function writeStart(key: string, { hash, expiresAt }: Started): string {
  return `${hash.toString('base64url')} ${expiresAt} ${key}`
}

function readStart(told: string): { readonly key: string; readonly started: Started } {
  const [hash = '', expiresAt = '', ...key] = told.split(' ')
  const started = { hash: Buffer.from(hash, 'base64url') as TokenHash, expiresAt: epochMs(Number(expiresAt)) }
  return { key: key.join(' '), started }
}

function keyOf({ peer }: Pick<CallContext, 'peer'>, clientId: ClientId): string {
  return `${peerKey(peer)} ${clientId}`
}
