import { type DescMessage, type DescMethod, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { Server } from '@grpc/grpc-js'
import type { Logger } from '../../logger.ts'
import type { Result } from '../../results.ts'
import { requestParser } from '../../rpc/request-limits/request-parser.ts'
import { pathOf } from '../../rpc/routes.ts'

type Kind = 'unary' | 'serverStream' | 'bidi'

/** What a service beside the pipeline is served with. */
export interface SystemServiceOptions {
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
  const parser = requestParser(method.input, { emptyIsOmitted: false, early: null })
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
