import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { type ChannelCredentials, Client, credentials, type CallOptions as GrpcOptions, Metadata } from '@grpc/grpc-js'
import type { CallOptions, Channel } from '../channel.ts'
import { deferred } from '../deferred.ts'
import { isLoopbackTarget } from '../loopback.ts'
import { QScopeError } from '../qscope-error.ts'

/** How the connection is made. */
export interface GrpcJsChannelOptions {
  /**
   * TLS with the system's trusted CAs unless given: `credentials.createSsl(…)`
   * for a CA of one's own or a client certificate, `credentials.createInsecure()`
   * for plaintext.
   */
  readonly credentials?: ChannelCredentials | undefined
  /**
   * Lets plaintext leave this machine, where anybody can read the secrets and tokens of the calls and put in keys of
   * their own: inside a mesh that encrypts. Without it plaintext goes to a loopback address or a Unix socket only.
   */
  readonly allowPlaintext?: boolean | undefined
}

/** A `Channel` over grpc-js, which keeps a connection and makes it anew when it breaks. */
export interface GrpcJsChannel extends Channel {
  close(): void
}

/** @param address `host:port`, or any target that grpc-js resolves, such as `dns:///qscope.internal:50051`. */
export function grpcJsChannel(address: string, options: GrpcJsChannelOptions = {}): GrpcJsChannel {
  const secure = options.credentials ?? credentials.createSsl()
  const isPlaintext = !secure._isSecure()
  if (isPlaintext && options.allowPlaintext !== true && !isLoopbackTarget(address)) {
    throw new TypeError(
      `${address} is not on this machine: secrets do not go there in plaintext (or say allowPlaintext)`,
    )
  }
  // The library never repeats a call by itself: a code or a refresh token is good once.
  const client = new Client(address, secure, {
    'grpc.enable_retries': 0,
    // A proxy of the environment would carry plaintext off this machine.
    ...(isPlaintext && options.allowPlaintext !== true && { 'grpc.enable_http_proxy': 0 }),
  })

  return {
    unary: (method, request, callOptions = {}) => unary(client, method, request, callOptions),
    serverStream: (method, request, callOptions = {}) => serverStream(client, method, request, callOptions),
    close: () => client.close(),
  }
}

async function unary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options: CallOptions,
): Promise<MessageShape<O>> {
  const { signal } = options
  signal?.throwIfAborted()
  const { promise, resolve, reject } = deferred<MessageShape<O>>()
  const call = client.makeUnaryRequest(
    pathOf(method),
    encoder(method.input),
    decoder(method.output),
    create(method.input, request),
    metadataOf(options),
    deadlineOf(options),
    (error, answer) => {
      if (error !== null) reject(signal?.aborted ? signal.reason : failureOf(error))
      else if (answer !== undefined) resolve(answer)
    },
  )
  const cancel = () => call.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

async function* serverStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  options: CallOptions,
): AsyncGenerator<MessageShape<O>> {
  const { signal } = options
  signal?.throwIfAborted()
  const call = client.makeServerStreamRequest(
    pathOf(method),
    encoder(method.input),
    decoder(method.output),
    create(method.input, request),
    metadataOf(options),
    deadlineOf(options),
  )
  const cancel = () => call.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    const messages: AsyncIterable<MessageShape<O>> = call
    for await (const message of messages) yield message
  } catch (error) {
    throw signal?.aborted ? signal.reason : failureOf(error)
  } finally {
    signal?.removeEventListener('abort', cancel)
    cancel()
  }
}

function pathOf(method: DescMethodUnary | DescMethodServerStreaming): string {
  return `/${method.parent.typeName}/${method.name}`
}

function encoder<D extends DescMessage>(schema: D) {
  return (message: MessageShape<D>) => Buffer.from(toBinary(schema, message))
}

function decoder<D extends DescMessage>(schema: D) {
  return (bytes: Buffer) => fromBinary(schema, bytes)
}

function metadataOf({ bearer }: CallOptions): Metadata {
  const metadata = new Metadata()
  if (bearer !== undefined) metadata.set('authorization', `Bearer ${bearer}`)
  return metadata
}

function deadlineOf({ timeoutMs }: CallOptions): GrpcOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs }
}

function failureOf(error: unknown): unknown {
  return QScopeError.from(error) ?? error
}
