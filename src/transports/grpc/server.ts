import { chmodSync } from 'node:fs'
import { BatchScheduler } from '../../batching.ts'
import type { Logger } from '../../context.ts'
import { socketName, type UnixSocket } from '../../domain/unix-socket.ts'
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts'
import { Health } from '../../gen/grpc/health/v1/health_pb.ts'
import { file_qscope_v1_error_reason } from '../../gen/qscope/v1/error_reason_pb.ts'
import { firstLineOf } from '../../message-of.ts'
import type { FailedResult } from '../../results.ts'
import { AnswerEncoder } from '../../rpc/answer-encoding/answer-encoder.ts'
import { IncomingMessages } from '../../rpc/incoming-messages.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { servicesOf } from '../../rpc/routes.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import { type HeaderSource, rayIdOf } from '../../rpc/trace-context.ts'
import { FLUSH_MS, settlesWithin } from '../shutdown.ts'
import type { TlsSource } from '../tls.ts'
import { HealthService } from './health.ts'
import { DEFAULT_LIMITS, type GrpcLimits } from './limits.ts'
import { pipelineMethod } from './pipeline-method.ts'
import { ReflectionService } from './reflection.ts'
import { toGrpcStatus } from './status.ts'
import {
  type GrpcTransport,
  type ListenAddress,
  nameOf,
  type OpenTransport,
  type PortMethod,
  type TcpAddress,
} from './transport.ts'

export interface GrpcServerOptions {
  readonly listen: TcpAddress
  /** A Unix domain socket beside the port. Its calls are in plaintext. `null`: none. */
  readonly socket?: UnixSocket | null
  /** The transport that carries the calls. */
  readonly transport: OpenTransport
  readonly pipeline: Pipeline
  readonly state: ServingState
  readonly log: Logger
  readonly newRayId: () => string
  /** A number in [0, 1) for jitter. */
  readonly jitter: () => number
  /** The address of the error documentation, used for the Help link of each error. `undefined`: errors have no link. */
  readonly helpBase: string | undefined
  readonly limits?: Partial<GrpcLimits>
  /** Whether the server offers reflection without authentication. Default: true. */
  readonly reflection?: boolean
  /** The budget of incoming messages, shared with other ports. By default the server has its own. */
  readonly incoming?: IncomingMessages
  /** Shared with the stores that answer the calls. By default the server has its own. */
  readonly scheduler?: BatchScheduler
  /** `null`: plaintext. */
  readonly tls?: TlsSource | null
}

/** A transport, and where it listens. */
interface Listener<Address extends ListenAddress = ListenAddress> {
  readonly address: Address
  readonly transport: GrpcTransport
}

/** The gRPC port, and the Unix domain socket beside it: the calls of the pipeline, `grpc.health.v1` and, if enabled, reflection. */
export class GrpcServer {
  readonly #options: GrpcServerOptions
  readonly #port: Listener
  readonly #socket: Listener<UnixSocket> | null
  readonly #incoming: IncomingMessages

  constructor(options: GrpcServerOptions) {
    const { log, jitter, newRayId, helpBase } = options
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#options = options
    this.#incoming = options.incoming ?? new IncomingMessages(limits.maxMessageBytes)
    const settings = {
      methods: methodsOf(options),
      limits,
      jitter,
      incoming: this.#incoming,
      statusOf: (failure: FailedResult, headers: HeaderSource) =>
        toGrpcStatus(failure, rayIdOf(headers, newRayId), helpBase),
      log,
    }
    const { listen, socket = null, transport, tls = null } = options
    this.#port = { address: listen, transport: transport({ ...settings, tls, peerName: null }) }
    this.#socket = socket && {
      address: socket,
      transport: transport({ ...settings, tls: null, peerName: socketName(socket.path) }),
    }
  }

  /** Answers the port. @throws Error with a message of one line if the server cannot listen at an address. */
  async start(): Promise<{ readonly port: number }> {
    const bound = await listenOn(this.#port)
    if (this.#socket !== null) {
      await listenOn(this.#socket)
      const { path, mode } = this.#socket.address
      chmodSync(path, mode)
    }
    return bound
  }

  /** Accepts no new calls. Lets the running calls finish for up to `graceMs`, then aborts them and reports that to their callers. */
  async stop(graceMs: number): Promise<void> {
    const { state, log } = this.#options
    state.drain()
    this.#incoming.stop()
    const transports = [this.#port, this.#socket].flatMap((listener) => listener?.transport ?? [])
    const closed = Promise.all(transports.map((transport) => transport.stop()))
    if (!(await settlesWithin(graceMs, closed))) {
      log.warn({ graceMs }, 'the grace period is over; aborting the running calls')
      for (const transport of transports) transport.expireCalls()
      await settlesWithin(FLUSH_MS, closed)
      for (const transport of transports) transport.destroy()
    }
    await settlesWithin(FLUSH_MS, state.idle())
  }
}

function methodsOf(options: GrpcServerOptions): readonly PortMethod[] {
  const { pipeline, state, log, newRayId, helpBase } = options
  const scheduler = options.scheduler ?? new BatchScheduler()
  const port = { pipeline, answers: new AnswerEncoder(), state, scheduler, newRayId, helpBase, log }
  const system = { state, newRayId, helpBase, log }
  const services = [...servicesOf(pipeline.routes), Health]
  const names = services.map((service) => service.typeName)
  const methods: PortMethod[] = [
    ...pipeline.routes.map((route) => pipelineMethod(route, port)),
    ...new HealthService(names, system).methods(),
  ]
  // No request refers to these files, but the details of every error do.
  const moreFiles = [file_google_rpc_error_details, file_qscope_v1_error_reason]
  if (options.reflection ?? true) methods.push(...new ReflectionService(services, moreFiles, system).methods())
  return methods
}

async function listenOn({ address, transport }: Listener): Promise<{ readonly port: number }> {
  try {
    return await transport.listen(address)
  } catch (error) {
    throw new Error(`gRPC cannot listen on ${nameOf(address)}: ${reasonOf(error)}`, { cause: error })
  }
}

function reasonOf(error: unknown): string {
  const [code] = /E[A-Z]{4,}/.exec(firstLineOf(error)) ?? []
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
