const ENCODING = Symbol('encoding')

/** An answer that may know how it is encoded. */
interface WithEncoding {
  readonly [ENCODING]?: () => Uint8Array
}

/** Has an answer encoded by `encode`: for one that shares a part with others, which is encoded once for all of them. */
export function encodedBy<M extends object>(answer: M, encode: () => Uint8Array): M {
  return Object.defineProperty(answer, ENCODING, { value: encode })
}

/** What {@link encodedBy} gave it. */
export function encodingOf(answer: object): (() => Uint8Array) | undefined {
  const { [ENCODING]: encode }: WithEncoding = answer
  return encode
}
