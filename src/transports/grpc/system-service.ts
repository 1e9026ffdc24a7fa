import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { Logger } from '../../context.ts'
import { peerKey } from '../../domain/peer-key.ts'
import { OpenCounter } from '../../rate-limits/watch-quota.ts'
import { fail, RETRY_AFTER_MS, type Result, success } from '../../results.ts'
import { RequestParser } from '../../rpc/request-limits/request-parser.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import type { CallListener } from './transport.ts'

/** The dependencies of a service beside the pipeline. */
export interface SystemServiceOptions {
  readonly state: ServingState
  readonly newRayId: () => string
  /** The address of the error documentation, used for the Help link of each error. */
  readonly helpBase: string | undefined
  readonly log: Logger
}

/**
 * The codec of a method of health or reflection, which do not run through the pipeline. They require no authentication, so
 * the size of a message is checked before it is parsed.
 */
export class SystemCodec<I extends DescMessage, O extends DescMessage> {
  readonly #parser: RequestParser<I, never>
  readonly #output: O

  constructor(method: { readonly input: I; readonly output: O }) {
    this.#parser = new RequestParser<I, never>(method.input, { emptyIsOmitted: false, early: null })
    this.#output = method.output
  }

  parse(bytes: Uint8Array): Result<MessageShape<I>> {
    const scanned = this.#parser.scan(bytes)
    if (!scanned.ok) return scanned
    const { message } = scanned.value
    return message === null ? this.#parser.decode(bytes) : success(message)
  }

  encode(answer: MessageShape<O>): Uint8Array {
    return toBinary(this.#output, answer)
  }
}

/** The listener of a call that was answered while it began. */
export const ANSWERED: CallListener = Object.freeze({
  cancelled: () => undefined,
  graceExpired: () => undefined,
  drained: () => undefined,
})

/** How many streams of one kind may be open. */
export interface StreamLimits {
  readonly perPeer: number
  readonly total: number
}

/** The quota of streams that unauthenticated callers have open. Each stream holds memory. */
export class StreamQuota {
  readonly #kind: string
  readonly #limits: StreamLimits
  readonly #peers = new OpenCounter()
  #total = 0

  /** `kind`: the name of the streams in a refusal. */
  constructor(kind: string, limits: StreamLimits) {
    this.#kind = kind
    this.#limits = limits
  }

  /** Counts a stream. The returned function ends it; further calls have no effect. */
  open(peer: string): Result<() => void> {
    const key = peerKey(peer)
    const { perPeer, total } = this.#limits
    if (this.#peers.of(key) >= perPeer || this.#total >= total) {
      const description = `at most ${perPeer} ${this.#kind} per address and ${total} in total`
      return fail('limit.exceeded', { quota: { subject: `peer:${key}`, description }, retryAfterMs: RETRY_AFTER_MS })
    }
    this.#peers.opened(key)
    this.#total += 1
    let isOpen = true
    return success(() => {
      if (!isOpen) return
      isOpen = false
      this.#total -= 1
      this.#peers.closed(key)
    })
  }
}
