import { BoundedMap } from '../bounded-map.ts'
import type { CallContext } from '../context.ts'
import type { DeviceAuthorization } from '../domain/device-authorization.ts'
import { type ClientId, type EpochMs, epochMs, type TokenHash } from '../domain/ids.ts'
import { peerKey } from '../domain/peer-key.ts'
import type { CounterSync, PublishCount } from './counter-sync.ts'

/** The address, client and time of a start. */
type Moment = Pick<CallContext, 'peer' | 'now'>

/** Looks up the state of a started device authorization; `null` if it cannot be found. */
type LookUp = (deviceCodeHash: TokenHash) => Promise<Pick<DeviceAuthorization, 'decision'> | null>

/** A device authorization that is stored, and may be pending. */
interface Started {
  readonly hash: TokenHash
  readonly expiresAt: EpochMs
}

/** A slot in a share, until it expires. `hash` is `null` while the device authorization is not stored yet. */
interface Place {
  readonly hash: TokenHash | null
  readonly expiresAt: EpochMs
}

/** Beyond this many entries, the least recently used one is dropped. */
const MAX_SHARES = 10_000

/**
 * Limits the pending device authorizations that one address may start for a public client
 * in these processes. Anyone who knows the client id could otherwise use up the limit of
 * the client for all its users.
 */
export class PendingDeviceQuota {
  readonly #shares = new BoundedMap<string, readonly Place[]>(MAX_SHARES)
  /** The limit per address and client: at most half of the client's own limit. */
  readonly most: number
  readonly #publish: PublishCount

  constructor(limits: { readonly perClient: number; readonly perPeer: number }, counterSync: CounterSync) {
    this.most = Math.min(limits.perPeer, Math.max(1, Math.floor(limits.perClient / 2)))
    this.#publish = counterSync.subscribe('pending-devices', (published) => {
      const { key, started } = readStart(published)
      this.#add(key, started)
    })
  }

  /**
   * Reserves a slot before the device authorization is stored, so that concurrent starts
   * do not exceed the share. Returns `false` if the share is full. A full share first
   * drops those that were decided, on any instance.
   */
  async hold(ctx: Moment, clientId: ClientId, expiresAt: EpochMs, lookUp: LookUp): Promise<boolean> {
    if (this.#pending(ctx, clientId).length >= this.most) await this.#review(ctx, clientId, lookUp)
    const places = this.#pending(ctx, clientId)
    if (places.length >= this.most) return false
    this.#shares.set(keyOf(ctx, clientId), [...places, { hash: null, expiresAt }])
    return true
  }

  /** Releases a reserved slot, because nothing was stored. */
  release(ctx: Moment, clientId: ClientId): void {
    const places = this.#pending(ctx, clientId)
    const at = places.findIndex(({ hash }) => hash === null)
    if (at >= 0) this.#shares.set(keyOf(ctx, clientId), places.toSpliced(at, 1))
  }

  /** Assigns a reserved slot to the stored device authorization. */
  settle(ctx: Moment, clientId: ClientId, started: Started): void {
    this.release(ctx, clientId)
    const key = keyOf(ctx, clientId)
    this.#add(key, started)
    this.#publish(writeStart(key, started), 1)
  }

  /** Drops those that were decided. One that cannot be found counts until it expires. */
  async #review(ctx: Moment, clientId: ClientId, lookUp: LookUp): Promise<void> {
    const looked = this.#pending(ctx, clientId).filter((place): place is Started => place.hash !== null)
    const found = await Promise.all(looked.map(({ hash }) => lookUp(hash)))
    const decided = new Set<Place>(looked.filter((_place, at) => (found[at]?.decision ?? 'pending') !== 'pending'))
    const left = this.#pending(ctx, clientId).filter((place) => !decided.has(place))
    this.#shares.set(keyOf(ctx, clientId), left)
  }

  #add(key: string, started: Started): void {
    this.#shares.set(key, [...(this.#shares.get(key) ?? []), started])
  }

  #pending(ctx: Moment, clientId: ClientId): readonly Place[] {
    return (this.#shares.get(keyOf(ctx, clientId)) ?? []).filter(({ expiresAt }) => expiresAt > ctx.now)
  }
}

/** A started device authorization as the key of a counter, because processes publish nothing but counters. */
function writeStart(key: string, { hash, expiresAt }: Started): string {
  return `${hash.toString('base64url')} ${expiresAt} ${key}`
}

function readStart(published: string): { readonly key: string; readonly started: Started } {
  const [hash = '', expiresAt = '', ...key] = published.split(' ')
  const started = { hash: Buffer.from(hash, 'base64url') as TokenHash, expiresAt: epochMs(Number(expiresAt)) }
  return { key: key.join(' '), started }
}

function keyOf({ peer }: Moment, clientId: ClientId): string {
  return `${peerKey(peer)} ${clientId}`
}
