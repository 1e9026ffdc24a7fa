import { type DescMessage, type DescMethod, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { Server } from '@grpc/grpc-js'
import type { Logger } from '../../context.ts'
import { peerKey } from '../../domain/peer-key.ts'
import { OpenCounter } from '../../rate-limits/watch-quota.ts'
import { fail, RETRY_AFTER_MS, type Result, success } from '../../results.ts'
import { RequestParser } from '../../rpc/request-limits/request-parser.ts'
import { pathOf } from '../../rpc/routes.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import type { Connections } from './connections.ts'

type Kind = 'unary' | 'serverStream' | 'bidi'

/** What a service beside the pipeline is served with. */
export interface SystemServiceOptions {
  readonly state: ServingState
  readonly connections: Connections
  readonly newRayId: () => string
  /** Where the errors are documented; becomes the Help link of each. */
  readonly helpBase: string | undefined
  readonly log: Logger
}

/**
 * The codec of a service that answers beside the pipeline: health and reflection,
 * which anyone may call. What anyone sends is bounded before it is parsed; a
 * request that is refused reaches the handler as its refusal. An answer may be
 * encoded already.
 */
export function serveSystemMethod<I extends DescMessage, O extends DescMessage>(
  server: Server,
  method: { readonly input: I; readonly output: O } & DescMethod,
  kind: Kind,
  handle: Parameters<typeof server.register<Result<MessageShape<I>>, MessageShape<O> | Buffer>>[1],
  path = pathOf(method),
): void {
  const parser = new RequestParser(method.input, { emptyIsOmitted: false, early: null })
  const parse = (bytes: Buffer): Result<MessageShape<I>> => {
    const scanned = parser.scan(bytes)
    return scanned.ok ? parser.decode(bytes) : scanned
  }
  server.register<Result<MessageShape<I>>, MessageShape<O> | Buffer>(
    path,
    handle,
    (answer) => (Buffer.isBuffer(answer) ? answer : Buffer.from(toBinary(method.output, answer))),
    parse,
    kind,
  )
}

/** How many streams of one kind may be open. */
export interface StreamLimits {
  readonly perPeer: number
  readonly total: number
}

/** The quota of streams that are open to unauthenticated callers: each holds memory. */
export class StreamQuota {
  readonly #kind: string
  readonly #limits: StreamLimits
  readonly #peers = new OpenCounter()
  #total = 0

  /** `kind`: what the refusal calls the streams. */
  constructor(kind: string, limits: StreamLimits) {
    this.#kind = kind
    this.#limits = limits
  }

  /** Counts a stream; the function in the answer ends it, once. */
  open(peer: string): Result<() => void> {
    const key = peerKey(peer)
    const { perPeer, total } = this.#limits
    if (this.#peers.of(key) >= perPeer || this.#total >= total) {
      const description = `at most ${perPeer} ${this.#kind} of one address, and ${total} in all`
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
