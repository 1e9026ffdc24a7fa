import type { Logger } from '../../context.ts'
import type { PeerCertificate } from '../../domain/certificate.ts'
import type { EpochMs } from '../../domain/ids.ts'
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
 * A call as its transport carries it. It is answered once: by `answer`, or by `start`,
 * any number of `write`, and `end` or `fail`, or by `fail` alone. What comes after the end is ignored,
 * and so is all of it when nobody waits any more.
 */
export interface TransportCall {
  /** The address of the caller, without its port. */
  readonly peer: string
  /** `null`: the caller waits for ever. */
  readonly deadline: EpochMs | null
  /** Shown by the caller in the TLS handshake, issued by the CA for clients or not; `null`: none. */
  readonly certificate: PeerCertificate | null
  /** Whether the call ended before it was answered: cancelled, its connection lost, its deadline over. */
  readonly isCancelled: boolean
  /** Aborted when the connection of the call is asked to end; made when first read. */
  readonly connectionEnds: AbortSignal
  /** The first value of a metadata key that is text. */
  header(name: string): string | undefined
  /** All values of a metadata key that is text. */
  headers(name: string): readonly string[]
  /** The answer of a unary call. */
  answer(rayId: string, message: Uint8Array): void
  /** Sends the initial metadata, where not all is sent in one go. */
  start(rayId: string): void
  /** Sends a message of a stream. `false`: the caller is to read first; its listener hears when it has. */
  write(message: Uint8Array): boolean
  /** Ends a stream with OK. */
  end(): void
  /** Ends the call. Where nothing was sent yet, there is no initial metadata. */
  fail(status: GrpcStatus): void
  /** What handled the call has ended, answered or not: only then it stops counting against the limits of its connection. */
  release(): void
}

/** A call whose requests are a stream. */
export interface StreamTransportCall extends TransportCall {
  /** Reads no further request, until `resume`. */
  pause(): void
  resume(): void
}

/** Who is told what becomes of a call. */
export interface CallListener {
  /** The call ended before it was answered. At most once, and not after its answer. */
  cancelled(): void
  /** The server waits no longer: the call is to be answered now, whether its work has ended or not. */
  graceExpired(): void
  /** After a `write` that returned false: the caller has read, or the call is cancelled. */
  drained(): void
}

/** Who is told of the requests of a stream as well. */
export interface RequestListener extends CallListener {
  request(message: Uint8Array): void
  /** The caller sends no more. */
  requestsEnded(): void
}

/** A method with one request, which has arrived. */
export interface SingleRequestMethod {
  readonly kind: 'unary' | 'serverStream'
  readonly path: string
  /** Whether what it begins ends by itself at the deadline; else the transport ends it. */
  readonly keepsDeadline: boolean
  begin(call: TransportCall, request: Uint8Array): CallListener
}

/** A method whose requests are a stream. */
export interface StreamRequestMethod {
  readonly kind: 'bidi'
  readonly path: string
  begin(call: StreamTransportCall): RequestListener
}

/** What a transport serves. */
export type PortMethod = SingleRequestMethod | StreamRequestMethod

/** What a transport is made with. */
export interface TransportSettings {
  readonly methods: readonly PortMethod[]
  readonly limits: GrpcLimits
  /** A number in [0, 1) for jitter. */
  readonly jitter: () => number
  /** What messages on their way may take. */
  readonly incoming: IncomingMessages
  /** What a refusal becomes of a call that no method has begun. */
  readonly statusOf: (failure: FailedResult, headers: HeaderSource) => GrpcStatus
  /** `null`: plaintext. */
  readonly tls: TlsSource | null
  readonly log: Logger
}

/** Where to listen; port 0 takes a free one. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Sockets, HTTP/2 and the framing of gRPC: how the calls of a port come and go. */
export interface GrpcTransport {
  /** @throws Error whose message has the code of the operating system, when the address cannot be had. */
  listen(address: ListenAddress): Promise<{ readonly port: number }>
  /** Takes no new connections, and asks all that are open to end with their last call. Resolves when they have ended. */
  stop(): Promise<void>
  /** Has all running calls answered now. */
  expireCalls(): void
  /** Cuts all connections. */
  destroy(): void
}

/** One of the transports that there are. */
export type OpenTransport = (settings: TransportSettings) => GrpcTransport

/** As it stands in a URL. */
export function hostAndPort({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
