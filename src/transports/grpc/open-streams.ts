import { peerKey } from '../../domain/peer-key.ts'
import { fail, RETRY_AFTER_MS, type Result, success } from '../../results.ts'

/** How many streams of one kind anybody may keep open. */
export interface StreamLimits {
  readonly perPeer: number
  readonly inAll: number
}

/** The streams that are open without anybody having said who they are: few, for each holds memory. */
export class OpenStreams {
  readonly #kind: string
  readonly #limits: StreamLimits
  readonly #peers = new Map<string, number>()
  #open = 0

  constructor(kind: string, limits: StreamLimits) {
    this.#kind = kind
    this.#limits = limits
  }

  /** Takes a place; what it answers gives it back, once. */
  enter(peer: string): Result<() => void> {
    const key = peerKey(peer)
    const open = this.#peers.get(key) ?? 0
    const { perPeer, inAll } = this.#limits
    if (open >= perPeer || this.#open >= inAll) {
      const description = `at most ${perPeer} ${this.#kind} of one address, and ${inAll} in all`
      return fail('limit.exceeded', { quota: { subject: `peer:${key}`, description }, retryAfterMs: RETRY_AFTER_MS })
    }
    this.#peers.set(key, open + 1)
    this.#open += 1
    let isOpen = true
    return success(() => {
      if (!isOpen) return
      isOpen = false
      this.#open -= 1
      const left = (this.#peers.get(key) ?? 0) - 1
      if (left > 0) this.#peers.set(key, left)
      else this.#peers.delete(key)
    })
  }
}
