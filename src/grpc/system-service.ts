import { type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { Server } from '@grpc/grpc-js'
import { pathOf } from './routes.ts'

type Kind = 'unary' | 'serverStream' | 'bidi'

/** The codec of a service that answers beside the pipeline: health and reflection, which anyone may call. */
export function serveSystemMethod<I extends DescMessage, O extends DescMessage>(
  server: Server,
  method: { readonly input: I; readonly output: O } & DescMethod,
  kind: Kind,
  handle: Parameters<typeof server.register<MessageShape<I>, MessageShape<O>>>[1],
  path = pathOf(method),
): void {
  server.register<MessageShape<I>, MessageShape<O>>(
    path,
    handle,
    (message) => Buffer.from(toBinary(method.output, message)),
    (bytes) => fromBinary(method.input, bytes),
    kind,
  )
}
