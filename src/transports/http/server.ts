import { chmodSync } from 'node:fs'
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, ListenOptions } from 'node:net'
import { socketName, type UnixSocket } from '../../domain/unix-socket.ts'
import { IncomingMessages } from '../../rpc/incoming-messages.ts'
import type { ServerCapabilities } from '../../rpc/server-metadata.ts'
import { ListenerErrors } from '../listener-errors.ts'
import { FLUSH_MS, settlesWithin } from '../shutdown.ts'
import { contextOf, type TlsSource } from '../tls.ts'
import type { HttpAdapterOptions } from './adapter.ts'
import { type ConsoleFile, consoleEndpoints } from './console.ts'
import { LivenessEndpoint, MetricsEndpoint, type MetricsSource, ReadinessEndpoint } from './endpoints.ts'
import { ErrorsPageEndpoint } from './errors-page.ts'
import { KeySetEndpoint } from './key-set.ts'
import { metadataEndpoints } from './metadata.ts'
import { ProtectedResourceEndpoint } from './protected-resource.ts'
import { RequestHandler } from './request-handler.ts'

export interface HttpServerOptions extends HttpAdapterOptions {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number }
  /** A Unix domain socket beside the port, in plaintext; `null`: none. */
  readonly socket?: UnixSocket | null
  /** The address of a port for callers, such as `https://qscope.internal:8443`. */
  readonly urlAt: (port: number) => string
  /** The capabilities of the server for its metadata. */
  readonly capabilities: ServerCapabilities
  /** The metrics of the process in Prometheus' format; `null`: there are none, and no `/metrics`. */
  readonly metrics: MetricsSource | null
  /** The origins of web pages that may call; empty: none may. */
  readonly allowedOrigins: readonly string[]
  /** The files of the console; empty: the console is off. */
  readonly consoleFiles?: readonly ConsoleFile[]
  readonly newRayId: () => string
  readonly limits?: Partial<HttpLimits>
  /** The budget of incoming messages, shared with other ports. By default the server has its own. */
  readonly incoming?: IncomingMessages
  /** `null`: plaintext. */
  readonly tls: TlsSource | null
}

/** The limits of a connection. Times are in milliseconds. */
export interface HttpLimits {
  /** The largest request, in bytes. */
  readonly maxMessageBytes: number
  readonly maxHeaderBytes: number
  /** Concurrent connections. More are refused, so that gRPC and the database keep their file descriptors. */
  readonly maxConnections: number
  /** Measured from the first byte, or from the start of the connection. */
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  /** The interval at which connections are checked against these two limits. */
  readonly timeoutCheckMs: number
  /** Longer than the idle timeout of load balancers, so that they close the connection and not the server. */
  readonly keepAliveMs: number
  /** The time without a byte in either direction. Streams send something every 15 seconds. */
  readonly silenceMs: number
  readonly handshakeTimeoutMs: number
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = Object.freeze({
  maxMessageBytes: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 4_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  timeoutCheckMs: 5_000,
  keepAliveMs: 75_000,
  silenceMs: 120_000,
  handshakeTimeoutMs: 10_000,
})

/** The interval at which connections are checked while the server stops. */
const IDLE_CHECK_MS = 20

/** The HTTP port: the gRPC calls as Connect and gRPC-Web over HTTP/1.1, and documents that are fetched with GET. */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #server: Server
  /** Of the Unix domain socket. */
  readonly #socketServer: Server | null
  readonly #abort = new AbortController()
  #url: string

  constructor(options: HttpServerOptions) {
    const { tls, metrics, state, pipeline } = options
    const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits }
    this.#options = options
    this.#url = options.urlAt(options.listen.port)
    const handler = new RequestHandler({
      ...options,
      oauth: options.capabilities.oauth,
      abort: this.#abort.signal,
      maxMessageBytes: limits.maxMessageBytes,
      incoming: options.incoming ?? new IncomingMessages(limits.maxMessageBytes),
      endpoints: [
        new LivenessEndpoint(),
        new ReadinessEndpoint(state),
        new KeySetEndpoint(pipeline, options.helpBase),
        new ProtectedResourceEndpoint(pipeline, options.helpBase),
        new ErrorsPageEndpoint(),
        ...metadataEndpoints(options.capabilities, () => this.#url),
        ...(metrics === null ? [] : [new MetricsEndpoint(metrics)]),
        ...consoleEndpoints(options.consoleFiles ?? []),
      ],
    })
    const listenerFor =
      (peerName: string | null): RequestListener =>
      (request, response) =>
        handler.handle(request, response, peerName)
    const http = {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
    }
    const listener = listenerFor(null)
    this.#server = tls === null ? createServer(http, listener) : openTlsServer(tls, http, limits, listener)
    const { socket = null } = options
    this.#socketServer = socket && createServer(http, listenerFor(socketName(socket.path)))
    for (const server of this.#servers) {
      server.maxConnections = limits.maxConnections
      server.timeout = limits.silenceMs
    }
  }

  get #servers(): readonly Server[] {
    return this.#socketServer === null ? [this.#server] : [this.#server, this.#socketServer]
  }

  /** Answers the port. @throws Error with a message of one line if the server cannot listen at an address. */
  async start(): Promise<{ readonly port: number }> {
    const { listen, socket = null, urlAt } = this.#options
    await this.#listen(this.#server, listen, `${listen.host}:${listen.port}`)
    // This is a TCP address, because the server was given a host and a port.
    const { port } = this.#server.address() as AddressInfo
    this.#url = urlAt(port)
    if (this.#socketServer !== null && socket !== null) {
      await this.#listen(this.#socketServer, { path: socket.path }, socketName(socket.path))
      chmodSync(socket.path, socket.mode)
    }
    return { port }
  }

  /** Refuses new calls. Lets the running calls finish for up to `graceMs`, then aborts them and reports that to their callers. */
  async stop(graceMs: number): Promise<void> {
    const { state, log } = this.#options
    state.drain()
    // Until then, new calls are refused with a reason, and `/readyz` reports the shutdown.
    if (!(await settlesWithin(graceMs, state.idle()))) {
      log.warn({ graceMs }, 'the grace period is over; aborting the running HTTP calls')
      this.#abort.abort(new Error('the server stops'))
    }
    const servers = this.#servers
    const closed = Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
    const idleCheck = setInterval(() => {
      for (const server of servers) server.closeIdleConnections()
    }, IDLE_CHECK_MS)
    await settlesWithin(FLUSH_MS, closed)
    clearInterval(idleCheck)
    for (const server of servers) server.closeAllConnections()
    await settlesWithin(FLUSH_MS, state.idle())
  }

  #listen(server: Server, at: ListenOptions, name: string): Promise<void> {
    const { log } = this.#options
    return new Promise((resolve, reject) => {
      const notHad = (error: NodeJS.ErrnoException): void => {
        const reason = error.code === 'EADDRINUSE' ? 'the address is already in use' : error.message
        reject(new Error(`HTTP cannot listen on ${name}: ${reason}`, { cause: error }))
      }
      server.once('error', notHad)
      server.listen(at, () => {
        server.off('error', notHad)
        server.on('error', new ListenerErrors('HTTP', log).note)
        resolve()
      })
    })
  }
}

function openTlsServer(tls: TlsSource, http: ServerOptions, limits: HttpLimits, listener: RequestListener): Server {
  const server = createTlsServer(
    {
      ...http,
      ...contextOf(tls.material),
      requestCert: tls.clients !== 'none',
      rejectUnauthorized: tls.clients === 'require',
      handshakeTimeout: limits.handshakeTimeoutMs,
    },
    listener,
  )
  tls.onReplaced((material) => server.setSecureContext(contextOf(material)))
  return server
}
