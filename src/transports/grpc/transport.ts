import type { Logger } from '../../context.ts'
import type { PeerCertificate } from '../../domain/certificate.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { socketName, type UnixSocket } from '../../domain/unix-socket.ts'
import type { FailedResult } from '../../results.ts'
import type { IncomingMessages } from '../../rpc/incoming-messages.ts'
import type { HeaderSource } from '../../rpc/trace-context.ts'
import type { TlsSource } from '../tls.ts'
import type { GrpcLimits } from './limits.ts'

/** The end of a call other than OK. */
export interface GrpcStatus {
  readonly code: number
  readonly message: string
  /** An encoded `google.rpc.Status`, sent as `grpc-status-details-bin`; `null`: none. */
  readonly details: Uint8Array | null
  /** Sent in the trailers; `null`: not sent. */
  readonly rayId: string | null
}

/**
 * A call, as its transport carries it. It is answered once: by `answer`; by `start`, any number of `write`, and `end` or
 * `fail`; or by `fail` alone. Anything sent after the end is ignored. Everything is ignored when the caller no longer waits.
 */
export interface TransportCall {
  /** The address of the caller, without its port, or the name that it shares with all peers of a Unix domain socket. */
  readonly peer: string
  /** `null`: the caller sets no deadline. */
  readonly deadline: EpochMs | null
  /**
   * The certificate that the caller presented in the TLS handshake, whether the CA for clients issued it or not; `null` if
   * there is none.
   */
  readonly certificate: PeerCertificate | null
  /** Whether the call ended before it was answered: it was cancelled, its connection was lost, or its deadline passed. */
  readonly isCancelled: boolean
  /** Aborted when the connection of the call is asked to end. Created at the first read. */
  readonly connectionEnds: AbortSignal
  /** The first value of a textual metadata key. */
  header(name: string): string | undefined
  /** All values of a textual metadata key. */
  headers(name: string): readonly string[]
  /** The answer of a unary call. */
  answer(rayId: string, message: Uint8Array): void
  /** Sends the initial metadata of an answer that is sent in parts. */
  start(rayId: string): void
  /** Sends a message of a stream. `false`: the caller has to read first, and the listener's `drained` is called when it has. */
  write(message: Uint8Array): boolean
  /** Ends a stream with OK. */
  end(): void
  /** Ends the call with a status. If nothing was sent yet, no initial metadata is sent. */
  fail(status: GrpcStatus): void
  /**
   * The handler of the call has ended, whether it answered or not. Only then the call stops counting against the limits of
   * its connection.
   */
  release(): void
}

/** A call whose requests are a stream. */
export interface StreamTransportCall extends TransportCall {
  /** Stops reading requests until `resume`. */
  pause(): void
  resume(): void
}

/** A listener for the events of a call. */
export interface CallListener {
  /** The call ended before it was answered. At most once, and not after its answer. */
  cancelled(): void
  /** The server stops waiting: the call has to be answered now, whether its work has ended or not. */
  graceExpired(): void
  /** After a `write` that returned false: the caller has read, or the call is cancelled. */
  drained(): void
}

/** A listener that also gets the requests of a stream. */
export interface RequestListener extends CallListener {
  request(message: Uint8Array): void
  /** The caller sends no more requests. */
  requestsEnded(): void
}

/** A method with one request, which has arrived. */
export interface SingleRequestMethod {
  readonly kind: 'unary' | 'serverStream'
  readonly path: string
  /** Whether the method ends by itself at the deadline. If not, the transport ends the call. */
  readonly keepsDeadline: boolean
  begin(call: TransportCall, request: Uint8Array): CallListener
}

/** A method whose requests are a stream. */
export interface StreamRequestMethod {
  readonly kind: 'bidi'
  readonly path: string
  begin(call: StreamTransportCall): RequestListener
}

/** A method that a transport serves. */
export type PortMethod = SingleRequestMethod | StreamRequestMethod

/** The settings of a transport. */
export interface TransportSettings {
  readonly methods: readonly PortMethod[]
  readonly limits: GrpcLimits
  /** A number in [0, 1) for jitter. */
  readonly jitter: () => number
  /** The budget of incoming messages. */
  readonly incoming: IncomingMessages
  /** The status for a refusal of a call that no method has begun. */
  readonly statusOf: (failure: FailedResult, headers: HeaderSource) => GrpcStatus
  /** `null`: plaintext. */
  readonly tls: TlsSource | null
  /** The name of all peers, which have no addresses of their own at a Unix domain socket. `null`: each peer has its address. */
  readonly peerName: string | null
  readonly log: Logger
}

/** A TCP address to listen at. Port 0 selects a free port. */
export interface TcpAddress {
  readonly host: string
  readonly port: number
}

/** Where to listen: a TCP address, or a Unix domain socket. */
export type ListenAddress = TcpAddress | Pick<UnixSocket, 'path'>

/** Sockets, HTTP/2 and the framing of gRPC. */
export interface GrpcTransport {
  /**
   * Answers the port, which is 0 for a Unix domain socket.
   *
   * @throws Error whose message has the error code of the operating system, if the server cannot listen at the address.
   */
  listen(address: ListenAddress): Promise<{ readonly port: number }>
  /** Accepts no new connections, and asks all open ones to end with their last call. Resolves when they have ended. */
  stop(): Promise<void>
  /** Answers all running calls now. */
  expireCalls(): void
  /** Destroys all connections. */
  destroy(): void
}

/** Creates a transport. */
export type OpenTransport = (settings: TransportSettings) => GrpcTransport

/** The address in the syntax of gRPC. */
export function nameOf(address: ListenAddress): string {
  if ('path' in address) return socketName(address.path)
  const { host, port } = address
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
