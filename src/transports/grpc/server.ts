import { type ChannelOptions, Server, ServerCredentials, setLogger } from '@grpc/grpc-js'
import { BatchScheduler } from '../../batching.ts'
import type { Logger } from '../../context.ts'
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts'
import { Health } from '../../gen/grpc/health/v1/health_pb.ts'
import { file_qscope_v1_error_reason } from '../../gen/qscope/v1/error_reason_pb.ts'
import { firstLineOf } from '../../message-of.ts'
import { IncomingMessages } from '../../rpc/incoming-messages.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { servicesOf } from '../../rpc/routes.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import { FLUSH_MS, settlesWithin } from '../shutdown.ts'
import { type ClientCertificates, contextOf, type TlsMaterial } from '../tls.ts'
import { GrpcAdapter } from './adapter.ts'
import { type ConnectionLimits, Connections } from './connections.ts'
import { HealthService } from './health.ts'
import { correctRequestHeaders, spreadStreams } from './incoming-streams.ts'
import { ReflectionService } from './reflection.ts'
import { watchIncoming } from './watch-incoming.ts'

/** Whoever opens a connection and sends nothing does not keep it. */
const HANDSHAKE_MS = 10_000

/** TLS for a gRPC server, with a certificate that can be replaced while it runs: new handshakes get the new one. */
export class TlsCredentials extends ServerCredentials {
  constructor(material: TlsMaterial, clients: ClientCertificates) {
    const asked = { requestCert: clients !== 'none', rejectUnauthorized: clients === 'require' }
    super({ ...asked, handshakeTimeout: HANDSHAKE_MS }, contextOf(material))
  }

  /** Connections that are open stay as they are. The material must be sound: with other, grpc-js takes no connection. */
  replace(material: TlsMaterial): void {
    this.updateSecureContextOptions(contextOf(material))
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}

/** What a caller may use up. Times are milliseconds. */
export interface GrpcLimits extends ConnectionLimits {
  /** The largest request, in bytes. */
  readonly maxMessageBytes: number
  /** Calls at once on one connection. */
  readonly maxConcurrentStreams: number
  /** After this a connection without calls is closed. */
  readonly maxConnectionIdleMs: number
}

export const DEFAULT_LIMITS: GrpcLimits = Object.freeze({
  maxMessageBytes: 1024 * 1024,
  maxConcurrentStreams: 1_000,
  maxConnectionAgeMs: 30 * 60_000,
  maxConnectionAgeGraceMs: 60_000,
  maxConnectionIdleMs: 15 * 60_000,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
})

export interface GrpcServerOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string
  readonly pipeline: Pipeline
  readonly state: ServingState
  readonly log: Logger
  readonly newRayId: () => string
  /** A number in [0, 1) for jitter. */
  readonly jitter: () => number
  /** Where the errors are documented; becomes the Help link of each. `undefined`: they have none. */
  readonly helpBase: string | undefined
  readonly limits?: Partial<GrpcLimits>
  /** Whether anyone may read the schema from the server; on if not given. */
  readonly reflection?: boolean
  /** What messages on their way may take, counted together with those of other ports; alone if not given. */
  readonly incoming?: IncomingMessages
  /** Shared with the stores that answer the calls; its own if not given. */
  readonly scheduler?: BatchScheduler
  /** Plaintext if not given. */
  readonly credentials?: ServerCredentials
}

/** The gRPC port: the calls of the pipeline, `grpc.health.v1` and, if wanted, reflection. */
export class GrpcServer {
  readonly #options: GrpcServerOptions
  readonly #limits: GrpcLimits
  readonly #incoming: IncomingMessages
  readonly #connections: Connections
  readonly #server: Server

  constructor(options: GrpcServerOptions) {
    const { pipeline, state, log, newRayId, helpBase } = options
    const scheduler = options.scheduler ?? new BatchScheduler()
    // grpc-js has one logger for the process: the server that was made last gets its lines.
    setLogger({ error: (...parts: unknown[]) => log.debug({ grpc: parts.map(String).join(' ') }, 'grpc-js') })
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#incoming = options.incoming ?? new IncomingMessages(this.#limits.maxMessageBytes)
    this.#server = new Server(channelOptions(this.#limits))
    this.#connections = new Connections(this.#limits, options.jitter)
    const connections = this.#connections
    const adapter = new GrpcAdapter({ pipeline, state, connections, scheduler, newRayId, helpBase, log })
    for (const route of pipeline.routes) adapter.serve(this.#server, route)
    const system = { state, connections, newRayId, helpBase, log }
    const services = [...servicesOf(pipeline.routes), Health]
    const names = services.map((service) => service.typeName)
    new HealthService(names, system).register(this.#server)
    // No request refers to these files, but the details of every error do.
    const moreFiles = [file_google_rpc_error_details, file_qscope_v1_error_reason]
    if (options.reflection ?? true) new ReflectionService(services, moreFiles, system).register(this.#server)
  }

  /** @throws Error of one line, when the address cannot be had. */
  async start(): Promise<{ readonly port: number }> {
    const { listen, credentials, newRayId, helpBase } = this.#options
    const { maxMessageBytes } = this.#limits
    const port = await bind(this.#server, listen, credentials ?? ServerCredentials.createInsecure())
    correctRequestHeaders(this.#server)
    this.#connections.follow(this.#server)
    watchIncoming(this.#server, { incoming: this.#incoming, maxMessageBytes, newRayId, helpBase })
    spreadStreams(this.#server)
    return { port }
  }

  /** Takes no new calls, lets the running ones finish for up to `graceMs`, then aborts them and says so to their callers. */
  async stop(graceMs: number): Promise<void> {
    const { state, log } = this.#options
    state.drain()
    this.#connections.goAway()
    const closed = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()))
    if (!(await settlesWithin(graceMs, closed))) {
      log.warn({ graceMs }, 'calls still running are aborted')
      this.#connections.abortCalls()
      await settlesWithin(FLUSH_MS, closed)
      this.#connections.destroy()
    }
    await settlesWithin(FLUSH_MS, state.idle())
  }
}

function bind(server: Server, listen: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) => {
      if (error === null) resolve(port)
      else reject(new Error(`gRPC cannot listen on ${listen}: ${reasonOf(error)}`, { cause: error }))
    })
  })
}

function channelOptions(limits: GrpcLimits): ChannelOptions {
  return {
    'grpc.max_receive_message_length': limits.maxMessageBytes,
    'grpc.max_concurrent_streams': limits.maxConcurrentStreams,
    'grpc.max_connection_idle_ms': limits.maxConnectionIdleMs,
    'grpc.enable_channelz': 0,
  }
}

function reasonOf(error: Error): string {
  const [code] = /E[A-Z]{4,}/.exec(error.message) ?? []
  switch (code) {
    case 'EADDRINUSE':
      return 'the address is already in use'
    case 'EACCES':
      return 'permission denied (ports below 1024 need a privilege)'
    case 'EADDRNOTAVAIL':
      return 'this machine does not have the address'
    case 'ENOTFOUND':
      return 'the host name does not resolve'
    default:
      return firstLineOf(error)
  }
}
