import { Metadata, type MetadataValue, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { grpcPortOf } from '../setup/grpc-servers.ts'
import type { TestServer, TestServerOptions } from './servers.ts'
import { CallEnded, type Received, type TestCall, type TestMethod, TestStatus } from './test-call.ts'

const UNKNOWN = 2
const asIs = (bytes: Buffer) => bytes

/** Methods on grpc-js. All are served as streams both ways, which looks the same from outside. */
export async function serveByGrpcJs(methods: readonly TestMethod[], { tls }: TestServerOptions): Promise<TestServer> {
  const server = new Server({ 'grpc.max_receive_message_length': -1 })
  for (const { path, handle } of methods) {
    server.register(path, (call: ServerDuplexStream<Buffer, Buffer>) => void answer(call, handle), asIs, asIs, 'bidi')
  }
  const credentials =
    tls === null
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [{ private_key: tls.key, cert_chain: tls.cert }])
  const port = await grpcPortOf(server, credentials)
  return {
    port,
    stop: async () => server.forceShutdown(),
  }
}

async function answer(duplex: ServerDuplexStream<Buffer, Buffer>, handle: TestMethod['handle']): Promise<void> {
  const call = new GrpcJsCall(duplex)
  try {
    await handle(call)
    call.end()
  } catch (error) {
    if (duplex.cancelled || error instanceof CallEnded) return
    const status = error instanceof TestStatus ? error : new TestStatus(UNKNOWN, String(error))
    duplex.emit('error', { code: status.code, details: status.message, metadata: call.trailers })
  }
}

class GrpcJsCall implements TestCall<Buffer, Uint8Array> {
  readonly trailers = new Metadata()
  readonly #headers = new Metadata()
  readonly #duplex: ServerDuplexStream<Buffer, Buffer>
  readonly #ended = new AbortController()
  #started = false

  constructor(duplex: ServerDuplexStream<Buffer, Buffer>) {
    this.#duplex = duplex
    duplex.on('cancelled', () => this.#ended.abort(new CallEnded()))
  }

  get ended(): AbortSignal {
    return this.#ended.signal
  }

  get requests(): AsyncIterable<Received<Buffer>> {
    return this.#read()
  }

  metadata(name: string): readonly (string | Uint8Array)[] {
    return this.#duplex.metadata.get(name)
  }

  addHeader(name: string, value: string | Uint8Array): void {
    this.#headers.add(name, metadataValue(value))
  }

  addTrailer(name: string, value: string | Uint8Array): void {
    this.trailers.add(name, metadataValue(value))
  }

  async send(message: Uint8Array): Promise<void> {
    this.#start()
    this.#ended.signal.throwIfAborted()
    if (this.#duplex.write(Buffer.from(message))) return
    await new Promise<void>((resolve, reject) => {
      this.#duplex.once('drain', resolve)
      this.#ended.signal.addEventListener('abort', () => reject(new CallEnded()), { once: true })
    })
  }

  end(): void {
    this.#start()
    this.#duplex.end(this.trailers)
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    this.#duplex.sendMetadata(this.#headers)
  }

  async *#read(): AsyncGenerator<Received<Buffer>> {
    // One that is destroyed sends no status.
    for await (const message of this.#duplex.iterator({ destroyOnReturn: false })) {
      // grpc-js does not say.
      yield { message, compressed: false }
    }
    this.#ended.signal.throwIfAborted()
  }
}

function metadataValue(value: string | Uint8Array): MetadataValue {
  return typeof value === 'string' ? value : Buffer.from(value)
}
