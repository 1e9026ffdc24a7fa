const ENCODING = Symbol('encoding')

/** An answer that may have an encoder of its own. */
interface WithEncoding {
  readonly [ENCODING]?: () => Uint8Array
}

/** Makes `encode` the encoder of an answer. An answer that shares a part with others can so encode that part once. */
export function encodedBy<M extends object>(answer: M, encode: () => Uint8Array): M {
  return Object.defineProperty(answer, ENCODING, { value: encode })
}

/** What {@link encodedBy} gave it. */
export function encodingOf(answer: object): (() => Uint8Array) | undefined {
  const { [ENCODING]: encode }: WithEncoding = answer
  return encode
}
