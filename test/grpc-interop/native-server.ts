import type { RequestHeaders } from '../../src/transports/http2/application.ts'
import { GrpcApplication } from '../../src/transports/http2/grpc/application.ts'
import type { GrpcCall } from '../../src/transports/http2/grpc/call.ts'
import { GZIP, gzipped } from '../../src/transports/http2/grpc/compression.ts'
import type { HeaderBlocks } from '../../src/transports/http2/grpc/header-blocks.ts'
import { binaryValues, Metadata } from '../../src/transports/http2/grpc/metadata.ts'
import type { CallListener, Method, RequestListener } from '../../src/transports/http2/grpc/method.ts'
import { callStatus, StatusCode } from '../../src/transports/http2/grpc/status.ts'
import { Http2Server, type Http2TlsOptions } from '../../src/transports/http2/server.ts'
import type { Identity } from '../setup/certificates.ts'
import type { TestServer, TestServerOptions } from './servers.ts'
import { CallEnded, type Received, type TestCall, type TestMethod, TestStatus } from './test-call.ts'

/** Clients of the tests send up to 10 MB. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
/** Requests that wait for their method; while there are as many, no further one is read. */
const MAX_WAITING = 4

/** Methods on the transport of our own. */
export async function serveNatively(methods: readonly TestMethod[], { tls }: TestServerOptions): Promise<TestServer> {
  const application: GrpcApplication = new GrpcApplication({
    methods: methods.map((method) => servedMethod(method, () => application.blocks)),
    maxMessageBytes: MAX_MESSAGE_BYTES,
  })
  const server = new Http2Server({ application, onError: fail, ...(tls && { tls: tlsOptionsOf(tls) }) })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    port,
    stop: async () => server.destroy(),
  }
}

function fail(error: Error): never {
  throw error
}

function tlsOptionsOf({ cert, key }: Identity): Http2TlsOptions {
  return { context: { cert, key }, requestCert: false, rejectUnauthorized: false }
}

/** `blocks`: known when the first call begins. */
function servedMethod({ path, kind, handle }: TestMethod, blocks: () => HeaderBlocks): Method {
  if (kind === 'unary' || kind === 'serverStream') {
    return {
      path,
      kind,
      keepsDeadline: false,
      begin(call: GrpcCall, request: Buffer, compressed: boolean): CallListener {
        const native = new NativeCall(call, blocks())
        native.request(request, compressed)
        native.requestsEnded()
        void native.answerBy(handle)
        return native
      },
    }
  }
  return {
    path,
    kind,
    keepsDeadline: false,
    begin(call: GrpcCall): RequestListener {
      const native = new NativeCall(call, blocks())
      void native.answerBy(handle)
      return native
    },
  }
}

class NativeCall implements TestCall<Buffer, Uint8Array>, RequestListener {
  readonly #call: GrpcCall
  readonly #blocks: HeaderBlocks
  readonly #headers = new Metadata()
  readonly #trailers = new Metadata()
  readonly #ended = new AbortController()
  readonly #waiting: Received<Buffer>[] = []
  #allCame = false
  #started = false
  #wake: () => void = () => undefined
  #goOn: () => void = () => undefined

  constructor(call: GrpcCall, blocks: HeaderBlocks) {
    this.#call = call
    this.#blocks = blocks
  }

  get ended(): AbortSignal {
    return this.#ended.signal
  }

  get requests(): AsyncIterable<Received<Buffer>> {
    return this.#read()
  }

  async answerBy(handle: TestMethod['handle']): Promise<void> {
    try {
      await handle(this)
      this.#start()
      this.#call.end(callStatus(StatusCode.OK, '', this.#trailers))
    } catch (error) {
      if (!this.#ended.signal.aborted) {
        const { code, message } =
          error instanceof TestStatus ? error : new TestStatus(StatusCode.UNKNOWN, String(error))
        this.#call.end(callStatus(code, message, this.#trailers))
      }
    } finally {
      this.#call.release()
    }
  }

  metadata(name: string): readonly (string | Uint8Array)[] {
    const { headers }: { headers: RequestHeaders } = this.#call
    return name.endsWith('-bin') ? binaryValues(headers, name) : headers.getAll(name)
  }

  addHeader(name: string, value: string | Uint8Array): void {
    this.#headers.add(name, value)
  }

  addTrailer(name: string, value: string | Uint8Array): void {
    this.#trailers.add(name, value)
  }

  async send(message: Uint8Array, compressed = false): Promise<void> {
    const sent = compressed ? await gzipped(message) : message
    this.#start()
    this.#ended.signal.throwIfAborted()
    if (this.#call.write(sent, compressed)) return
    await new Promise<void>((resolve) => {
      this.#goOn = resolve
    })
    this.#ended.signal.throwIfAborted()
  }

  request(message: Buffer, compressed: boolean): void {
    this.#waiting.push({ message, compressed })
    if (this.#waiting.length >= MAX_WAITING) this.#call.pause()
    this.#wake()
  }

  requestsEnded(): void {
    this.#allCame = true
    this.#wake()
  }

  cancelled(): void {
    this.#ended.abort(new CallEnded())
    this.#wake()
    this.#goOn()
  }

  drained(): void {
    this.#goOn()
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    const accepts = this.#call.headers.get('grpc-accept-encoding') ?? ''
    this.#call.start(this.#blocks.headers(this.#headers, accepts.split(/ *, */).includes(GZIP) ? GZIP : undefined))
  }

  async *#read(): AsyncGenerator<Received<Buffer>> {
    while (true) {
      this.#ended.signal.throwIfAborted()
      const next = this.#waiting.shift()
      if (next !== undefined) {
        if (this.#waiting.length < MAX_WAITING) this.#call.resume()
        yield next
      } else if (this.#allCame) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
