import type { CallContext } from '../../context.ts'
import { peerKey } from '../../domain/peer-key.ts'
import { fail, RETRY_AFTER_MS, type Result, success } from '../../results.ts'

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

  /** Takes a place; what it answers gives it back. */
  enter(ctx: Pick<CallContext, 'peer'>, presentedCode: string): Result<() => void> {
    const peer = `peer:${peerKey(ctx.peer)}`
    const code = `device_code:${presentedCode.slice(0, HELD_OF_CODE)}`
    if (this.#of(peer) >= this.#mostPerPeer) return full(peer, `at most ${this.#mostPerPeer} watches of one address`)
    if (this.#of(code) >= MOST_PER_CODE) return full(peer, `at most ${MOST_PER_CODE} watches of one device code`)
    for (const key of [peer, code]) this.#open.set(key, this.#of(key) + 1)
    return success(() => {
      for (const key of [peer, code]) this.#leave(key)
    })
  }

  #of(key: string): number {
    return this.#open.get(key) ?? 0
  }

  #leave(key: string): void {
    const left = this.#of(key) - 1
    if (left > 0) this.#open.set(key, left)
    else this.#open.delete(key)
  }
}

function full(subject: string, description: string) {
  return fail('limit.exceeded', { quota: { subject, description }, retryAfterMs: RETRY_AFTER_MS })
}
