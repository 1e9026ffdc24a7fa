import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { IncomingMessages } from '../../rpc/incoming-messages.ts'
import { type ClientCertificates, contextOf, type TlsMaterial } from '../grpc/tls-credentials.ts'
import { within } from '../within.ts'
import type { HttpAdapterOptions } from './adapter.ts'
import { errorsPageEndpoint } from './endpoints/errors-page.ts'
import { healthEndpoint } from './endpoints/health.ts'
import { keySetEndpoint } from './endpoints/key-set.ts'
import { type Abilities, metadataEndpoints } from './endpoints/metadata.ts'
import { type MetricsSource, metricsEndpoint } from './endpoints/metrics.ts'
import { readinessEndpoint } from './endpoints/readiness.ts'
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts'
import { requestListener } from './request-listener.ts'

export interface HttpServerOptions extends HttpAdapterOptions {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number }
  /** Where callers reach the port that was had, such as `https://qscope.internal:8443`. */
  readonly urlAt: (port: number) => string
  /** What the server can do, told to whoever asks. */
  readonly abilities: Abilities
  /** The numbers of the process in Prometheus' format; `null`: there are none, and no `/metrics`. */
  readonly metrics: MetricsSource | null
  /** Of web pages that may call; empty: none may. */
  readonly allowedOrigins: readonly string[]
  readonly newRayId: () => string
  readonly limits?: Partial<HttpLimits>
  /** What messages on their way may take, counted together with those of other ports; alone if not given. */
  readonly incoming?: IncomingMessages
  /** `null`: plaintext. */
  readonly tls: HttpTls | null
}

/** What the port proves itself with, as long as it runs. */
export interface HttpTls {
  readonly material: TlsMaterial
  readonly clients: ClientCertificates
  /** Calls back whenever the certificate was replaced. */
  onReplaced(listener: (material: TlsMaterial) => void): void
}

export interface HttpServer {
  /** @throws Error of one line, when the address cannot be had. */
  start(): Promise<{ readonly port: number }>
  /** Refuses new calls, lets the running ones finish for up to `graceMs`, then aborts them and says so to their callers. */
  stop(graceMs: number): Promise<void>
}

/** How long answers that are ready may take to leave. */
const LEAVE_MS = 1_000
const LOOK_MS = 20

/** The side door: the calls of gRPC as Connect and gRPC-Web over HTTP/1.1, and what is fetched with GET. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { listen, state, log } = options
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits }
  let url = options.urlAt(listen.port)
  const givingUp = new AbortController()
  const server = openServer(options, limits, () => url, givingUp.signal)

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', (error: NodeJS.ErrnoException) => {
          const reason = error.code === 'EADDRINUSE' ? 'the address is already in use' : error.message
          reject(new Error(`HTTP cannot listen on ${listen.host}:${listen.port}: ${reason}`, { cause: error }))
        })
        server.listen(listen.port, listen.host, () => {
          // An address of TCP: the server was given a host and a port.
          const { port } = server.address() as AddressInfo
          url = options.urlAt(port)
          resolve({ port })
        })
      }),

    stop: async (graceMs) => {
      state.drain()
      // Until then new calls are refused with a reason, and `/readyz` says that this is the end.
      if (!(await within(graceMs, state.idle()))) {
        log.warn({ graceMs }, 'HTTP calls still running are aborted')
        givingUp.abort(new Error('the server stops'))
      }
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      const looking = setInterval(() => server.closeIdleConnections(), LOOK_MS)
      await within(LEAVE_MS, closed)
      clearInterval(looking)
      server.closeAllConnections()
      await within(LEAVE_MS, state.idle())
    },
  }
}

function openServer(options: HttpServerOptions, limits: HttpLimits, url: () => string, givingUp: AbortSignal): Server {
  const { tls, metrics } = options
  const listener = requestListener({
    ...options,
    givingUp,
    maxMessageBytes: limits.maxMessageBytes,
    incoming: options.incoming ?? new IncomingMessages(limits.maxMessageBytes),
    endpoints: [
      healthEndpoint,
      readinessEndpoint(options.state),
      keySetEndpoint(options.pipeline),
      errorsPageEndpoint(),
      ...metadataEndpoints(options.abilities, url),
      ...(metrics === null ? [] : [metricsEndpoint(metrics)]),
    ],
  })
  const http = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: limits.timeoutCheckMs,
  }
  const server = tls === null ? createServer(http, listener) : openTlsServer(tls, http, limits, listener)
  server.maxConnections = limits.maxConnections
  server.timeout = limits.silenceMs
  return server
}

function openTlsServer(tls: HttpTls, http: ServerOptions, limits: HttpLimits, listener: RequestListener): Server {
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
