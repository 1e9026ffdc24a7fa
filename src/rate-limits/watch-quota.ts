import type { CallContext } from '../context.ts'
import { peerKey } from '../domain/peer-key.ts'
import { fail, HOLDS, RETRY_AFTER_MS, type Result } from '../results.ts'

/** Counts open items of this process, such as streams, per key. A key without open items takes no memory. */
export class OpenCounter {
  readonly #open = new Map<string, number>()

  of(key: string): number {
    return this.#open.get(key) ?? 0
  }

  opened(key: string): void {
    this.#open.set(key, this.of(key) + 1)
  }

  /** Of something that was opened. */
  closed(key: string): void {
    const left = this.of(key) - 1
    if (left > 0) this.#open.set(key, left)
    else this.#open.delete(key)
  }
}

/** A device opens one watch, and a few more while it reconnects. */
const MOST_PER_CODE = 4
/** A caller may send any text. Text longer than a device code cannot be one, and is not stored whole. */
const HELD_OF_CODE = 64

/** Limits the open watches of this process per device code and per address: each causes lookups while it is open. */
export class WatchQuota {
  readonly #mostPerPeer: number
  readonly #open = new OpenCounter()

  constructor(mostPerPeer: number) {
    this.#mostPerPeer = mostPerPeer
  }

  /** Takes a slot, which `leave` releases. */
  enter({ peer }: Pick<CallContext, 'peer'>, presentedCode: string): Result<object> {
    const [address, code] = keysOf(peer, presentedCode)
    if (this.#open.of(address) >= this.#mostPerPeer) {
      return full(address, `at most ${this.#mostPerPeer} watches per address`)
    }
    if (this.#open.of(code) >= MOST_PER_CODE) return full(address, `at most ${MOST_PER_CODE} watches per device code`)
    this.#open.opened(address)
    this.#open.opened(code)
    return HOLDS
  }

  /** Releases the slot of a watch. */
  leave({ peer }: Pick<CallContext, 'peer'>, presentedCode: string): void {
    for (const key of keysOf(peer, presentedCode)) this.#open.closed(key)
  }
}

function keysOf(peer: string, presentedCode: string): readonly [address: string, code: string] {
  return [`peer:${peerKey(peer)}`, `device_code:${presentedCode.slice(0, HELD_OF_CODE)}`]
}

/** `subject` is the address. It is never the device code, which is a secret, because refusals may be logged. */
function full(subject: string, description: string) {
  return fail('limit.exceeded', { quota: { subject, description }, retryAfterMs: RETRY_AFTER_MS })
}
