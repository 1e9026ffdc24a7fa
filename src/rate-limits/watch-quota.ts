import type { CallContext } from '../context.ts'
import { peerKey } from '../domain/peer-key.ts'
import { fail, HOLDS, RETRY_AFTER_MS, type Result } from '../results.ts'

/** A device watches once; a few more while it reconnects. */
const MOST_PER_CODE = 4
/** Any text may be presented; what is longer than a device code stands for none, and is not held whole. */
const HELD_OF_CODE = 64

/** The watches under way in this process, by device code and by address: each costs look-ups for as long as it lasts. */
export class WatchQuota {
  readonly #mostPerPeer: number
  readonly #open = new Map<string, number>()

  constructor(mostPerPeer: number) {
    this.#mostPerPeer = mostPerPeer
  }

  /** Takes a place, which `leave` gives back. */
  enter({ peer }: Pick<CallContext, 'peer'>, presentedCode: string): Result<object> {
    const [address, code] = keysOf(peer, presentedCode)
    if (this.#of(address) >= this.#mostPerPeer) {
      return full(address, `at most ${this.#mostPerPeer} watches of one address`)
    }
    if (this.#of(code) >= MOST_PER_CODE) return full(code, `at most ${MOST_PER_CODE} watches of one device code`)
    this.#open.set(address, this.#of(address) + 1)
    this.#open.set(code, this.#of(code) + 1)
    return HOLDS
  }

  /** Gives the place of a watch back that entered. */
  leave({ peer }: Pick<CallContext, 'peer'>, presentedCode: string): void {
    for (const key of keysOf(peer, presentedCode)) {
      const left = this.#of(key) - 1
      if (left > 0) this.#open.set(key, left)
      else this.#open.delete(key)
    }
  }

  #of(key: string): number {
    return this.#open.get(key) ?? 0
  }
}

function keysOf(peer: string, presentedCode: string): readonly [address: string, code: string] {
  return [`peer:${peerKey(peer)}`, `device_code:${presentedCode.slice(0, HELD_OF_CODE)}`]
}

function full(subject: string, description: string) {
  return fail('limit.exceeded', { quota: { subject, description }, retryAfterMs: RETRY_AFTER_MS })
}
