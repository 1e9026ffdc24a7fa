import { type DescMessage, type Message, type MessageShape, toBinary } from '@bufbuild/protobuf'

const ENCODING = Symbol('encoding')

/** A message that knows how it is encoded. */
type WithEncoding = Message & { readonly [ENCODING]?: () => Uint8Array }

/** Has a message encoded by `encode`: for one that shares a part with others, which is encoded once for all of them. */
export function encodedBy<M extends Message>(message: M, encode: () => Uint8Array): M {
  return Object.defineProperty(message, ENCODING, { value: encode })
}

/** An answer as it travels over gRPC. */
export function encodeAnswer<M extends DescMessage>(schema: M, message: MessageShape<M>): Uint8Array {
  const { [ENCODING]: encode }: WithEncoding = message
  return encode === undefined ? toBinary(schema, message) : encode()
}
