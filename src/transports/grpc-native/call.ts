import type { PeerCertificate } from '../../domain/certificate.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import { RAY_ID_KEY } from '../../rpc/trace-context.ts'
import type { CallListener, GrpcStatus, RequestListener, StreamTransportCall } from '../grpc/transport.ts'
import { Metadata } from '../http2/grpc/metadata.ts'
import type { RequestListener as CarrierListener } from '../http2/grpc/method.ts'
import type { ServerCall } from '../http2/grpc/server-call.ts'
import { type CallStatus, callStatus } from '../http2/grpc/status.ts'
import type { AnswerHeaders } from './answer-headers.ts'
import type { ExpiringCall, NativeConnection } from './connection.ts'

/** A call on the native transport, as the port sees it. It forwards the events of the transport to its listener. */
export class NativeCall implements StreamTransportCall, CarrierListener, ExpiringCall {
  readonly #call: ServerCall
  readonly #connection: NativeConnection
  readonly #headers: AnswerHeaders
  #listener: CallListener | null = null
  /** The listener of a call with a stream of requests. */
  #requests: RequestListener | null = null

  constructor(call: ServerCall, connection: NativeConnection, headers: AnswerHeaders) {
    this.#call = call
    this.#connection = connection
    this.#headers = headers
    connection.callBegan(this)
  }

  listenedBy(listener: CallListener): this {
    this.#listener = listener
    return this
  }

  /** Sets the listener of a call with a stream of requests. */
  requestsReadBy(listener: RequestListener): this {
    this.#requests = listener
    return this.listenedBy(listener)
  }

  get peer(): string {
    return this.#connection.peer
  }

  get deadline(): EpochMs | null {
    const { deadline } = this.#call
    return deadline === null ? null : epochMs(deadline)
  }

  get certificate(): PeerCertificate | null {
    return this.#connection.certificate
  }

  get isCancelled(): boolean {
    return this.#call.isCancelled
  }

  get connectionEnds(): AbortSignal {
    return this.#connection.age.ends
  }

  header(name: string): string | undefined {
    return this.#call.headers.get(name)
  }

  headers(name: string): readonly string[] {
    return this.#call.headers.getAll(name)
  }

  answer(rayId: string, message: Uint8Array): void {
    this.#call.answer(this.#headers.with(rayId), message)
  }

  start(rayId: string): void {
    this.#call.start(this.#headers.with(rayId))
  }

  write(message: Uint8Array): boolean {
    return this.#call.write(message)
  }

  end(): void {
    this.#call.end()
  }

  fail(status: GrpcStatus): void {
    this.#call.end(toCallStatus(status))
  }

  pause(): void {
    this.#call.pause()
  }

  resume(): void {
    this.#call.resume()
  }

  release(): void {
    this.#connection.callEnded(this)
    this.#call.release()
  }

  expire(): void {
    this.#listener?.graceExpired()
  }

  request(message: Buffer): void {
    this.#requests?.request(message)
  }

  requestsEnded(): void {
    this.#requests?.requestsEnded()
  }

  cancelled(): void {
    this.#listener?.cancelled()
  }

  drained(): void {
    this.#listener?.drained()
  }
}

/** The end of a call in the form that the transport accepts. */
export function toCallStatus({ code, message, details, rayId }: GrpcStatus): CallStatus {
  if (details === null && rayId === null) return callStatus(code, message)
  const metadata = new Metadata()
  if (rayId !== null) metadata.add(RAY_ID_KEY, rayId)
  if (details !== null) metadata.add('grpc-status-details-bin', details)
  return callStatus(code, message, metadata)
}
