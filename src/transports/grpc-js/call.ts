import type { EventEmitter } from 'node:events'
import type { ServerDuplexStream, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import type { PeerCertificate } from '../../domain/certificate.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import type { CallListener, GrpcStatus, StreamTransportCall } from '../grpc/transport.ts'
import { peerAddress } from '../peer.ts'
import type { Connections } from './connections.ts'
import { sessionOf } from './internals.ts'
import { asBuffer, initialMetadata, toStatusObject } from './metadata.ts'

type Unary = ServerUnaryCall<Buffer, Buffer>
type Stream = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>

/** Calls that have not ended. The code that removes a call ends it. */
export type OpenCalls = Set<GrpcJsCall>

/** What the calls of one transport share. */
export interface CallServices {
  readonly connections: Connections
  readonly open: OpenCalls
  /** See `TransportSettings`. */
  readonly peerName: string | null
}

/** A call of grpc-js, as the port sees it: the part that unary and streaming calls of grpc-js share. */
export abstract class GrpcJsCall implements StreamTransportCall {
  readonly peer: string
  readonly deadline: EpochMs | null
  protected readonly services: CallServices
  readonly #call: Unary | Stream
  #listener: CallListener | null = null
  #isLate = false

  constructor(call: Unary | Stream, services: CallServices) {
    this.#call = call
    this.services = services
    this.peer = services.peerName ?? addressOf(call.getPeer())
    this.deadline = momentOf(call.getDeadline())
    services.open.add(this)
  }

  abstract answer(rayId: string, message: Uint8Array): void
  abstract start(rayId: string): void
  abstract write(message: Uint8Array): boolean
  abstract end(): void
  abstract fail(status: GrpcStatus): void
  abstract pause(): void
  abstract resume(): void

  get certificate(): PeerCertificate | null {
    return this.services.connections.certificateOf(this.#call)
  }

  get isCancelled(): boolean {
    return this.#isLate || this.#call.cancelled
  }

  get connectionEnds(): AbortSignal {
    return this.services.connections.endSignalOf(this.#call)
  }

  header(name: string): string | undefined {
    return this.#call.metadata.get(name)[0]?.toString()
  }

  headers(name: string): readonly string[] {
    return this.#call.metadata.get(name).map(String)
  }

  /** Reports events of the call to its listener. */
  listenedBy(listener: CallListener): void {
    this.#listener = listener
    const call: EventEmitter = this.#call
    // grpc-js emits this at the end of every call. Only an end before the answer is a cancellation.
    call.once('cancelled', () => {
      if (this.takeOut()) listener.cancelled()
    })
    if (this.#call.cancelled && this.takeOut()) listener.cancelled()
  }

  /** The deadline has passed, and no caller waits for the answer. */
  protected late(): void {
    if (!this.takeOut()) return
    this.#isLate = true
    this.#listener?.cancelled()
  }

  /** Answers the call now. */
  expire(): void {
    this.#listener?.graceExpired()
  }

  /** Whether the call came on this HTTP/2 session. */
  isOn(session: object): boolean {
    return sessionOf(this.#call) === session
  }

  release(): void {
    // grpc-js counts a stream until it is closed.
  }

  /** Removes the call from the open calls. Returns whether it had not ended before. */
  protected takeOut(): boolean {
    return this.services.open.delete(this)
  }
}

export class GrpcJsUnaryCall extends GrpcJsCall {
  readonly #call: Unary
  readonly #callback: sendUnaryData<Buffer>

  constructor(call: Unary, callback: sendUnaryData<Buffer>, services: CallServices) {
    super(call, services)
    this.#call = call
    this.#callback = callback
  }

  answer(rayId: string, message: Uint8Array): void {
    if (!this.takeOut()) return
    this.#call.sendMetadata(initialMetadata(rayId))
    this.#callback(null, asBuffer(message))
  }

  fail(status: GrpcStatus): void {
    if (!this.takeOut()) return
    this.#callback(toStatusObject(status))
  }

  start(rayId: string): void {
    if (this.services.open.has(this)) this.#call.sendMetadata(initialMetadata(rayId))
  }

  write(): never {
    throw new Error('a unary call is answered at once')
  }

  end(): void {
    this.write()
  }

  pause(): void {
    this.write()
  }

  resume(): void {
    this.write()
  }
}

export class GrpcJsStreamCall extends GrpcJsCall {
  readonly #call: Stream

  constructor(call: Stream, services: CallServices) {
    super(call, services)
    this.#call = call
  }

  override listenedBy(listener: CallListener): void {
    super.listenedBy(listener)
    this.#call.on('drain', () => listener.drained())
    if (this.deadline === null) return
    // grpc-js ends the call when its caller has read the answer, which may never happen.
    const timer = setTimeout(() => this.late(), Math.max(0, this.deadline - Date.now())).unref()
    this.#call.once('cancelled', () => clearTimeout(timer))
  }

  answer(rayId: string, message: Uint8Array): void {
    this.start(rayId)
    this.write(message)
    this.end()
  }

  start(rayId: string): void {
    this.#call.sendMetadata(initialMetadata(rayId))
  }

  write(message: Uint8Array): boolean {
    return !this.services.open.has(this) || this.#call.write(asBuffer(message))
  }

  end(): void {
    if (this.takeOut()) this.#call.end()
  }

  fail(status: GrpcStatus): void {
    if (this.takeOut()) this.#call.emit('error', toStatusObject(status))
  }

  pause(): void {
    if ('pause' in this.#call) this.#call.pause()
  }

  resume(): void {
    if ('resume' in this.#call) this.#call.resume()
  }
}

function momentOf(deadline: Date | number): EpochMs | null {
  const moment = Number(deadline)
  return Number.isFinite(moment) ? epochMs(moment) : null
}

/** The address of a peer without its port: `192.0.2.1:4711` → `192.0.2.1`. */
function addressOf(peer: string): string {
  const colon = peer.lastIndexOf(':')
  return peerAddress(colon < 0 ? peer : peer.slice(0, colon))
}
