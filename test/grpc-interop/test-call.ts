import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'

/** A message of the client's. */
export interface Received<T> {
  readonly message: T
  /** Whether it was on the wire. */
  readonly compressed: boolean
}

/** A call of any of the four kinds, whichever transport carries it. */
export interface TestCall<I, O> {
  /** Throws `CallEnded` when the call ends before its answer. */
  readonly requests: AsyncIterable<Received<I>>
  /** Aborted when the call ends before its answer. */
  readonly ended: AbortSignal
  /** What the client sent under this name; bytes where it ends in `-bin`. */
  metadata(name: string): readonly (string | Uint8Array)[]
  /** Before the first answer. */
  addHeader(name: string, value: string | Uint8Array): void
  addTrailer(name: string, value: string | Uint8Array): void
  /** Resolves when more may be sent; rejects with `CallEnded`. */
  send(message: O, compressed?: boolean): Promise<void>
}

/** The call has ended before its answer: there is nothing to be said any more. */
export class CallEnded extends Error {}

/** A status that a call is ended with. */
export class TestStatus extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** A method as a transport serves it. */
export interface TestMethod {
  readonly path: string
  readonly kind: 'unary' | 'serverStream' | 'clientStream' | 'bidi'
  /** Resolves when all answers are sent; rejects with `TestStatus` or `CallEnded`. */
  readonly handle: (call: TestCall<Uint8Array, Uint8Array>) => Promise<void>
}

const KINDS = Object.freeze({
  unary: 'unary',
  server_streaming: 'serverStream',
  client_streaming: 'clientStream',
  bidi_streaming: 'bidi',
} as const)

export function testMethod<M extends DescMethod>(
  method: M,
  handle: (call: TestCall<MessageShape<M['input']>, MessageInitShape<M['output']>>) => Promise<void>,
): TestMethod {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    kind: KINDS[method.methodKind],
    handle: (call) => handle(new DecodedCall(method, call)),
  }
}

/** The only request of a call. */
export async function requestOf<I>({ requests }: TestCall<I, never>): Promise<Received<I>> {
  for await (const request of requests) return request
  throw new Error('the transport began a method with one request before that had come')
}

class DecodedCall<M extends DescMethod> implements TestCall<MessageShape<M['input']>, MessageInitShape<M['output']>> {
  readonly #method: M
  readonly #call: TestCall<Uint8Array, Uint8Array>

  constructor(method: M, call: TestCall<Uint8Array, Uint8Array>) {
    this.#method = method
    this.#call = call
  }

  get requests(): AsyncIterable<Received<MessageShape<M['input']>>> {
    return this.#decoded()
  }

  get ended(): AbortSignal {
    return this.#call.ended
  }

  metadata(name: string): readonly (string | Uint8Array)[] {
    return this.#call.metadata(name)
  }

  addHeader(name: string, value: string | Uint8Array): void {
    this.#call.addHeader(name, value)
  }

  addTrailer(name: string, value: string | Uint8Array): void {
    this.#call.addTrailer(name, value)
  }

  send(message: MessageInitShape<M['output']>, compressed = false): Promise<void> {
    const output: M['output'] = this.#method.output
    return this.#call.send(toBinary(output, create(output, message)), compressed)
  }

  async *#decoded(): AsyncGenerator<Received<MessageShape<M['input']>>> {
    const input: M['input'] = this.#method.input
    for await (const { message, compressed } of this.#call.requests) {
      yield { message: fromBinary(input, message), compressed }
    }
  }
}
