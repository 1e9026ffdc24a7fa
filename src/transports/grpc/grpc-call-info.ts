import type { Metadata, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js'
import type { PeerCertificate } from '../../domain/certificate.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import type { CallEnded, CallInfo } from '../../rpc/call-info.ts'
import { rayIdOf } from '../../rpc/trace-context.ts'
import { peerAddress } from '../peer.ts'
import type { Connections } from './connections.ts'
import { sessionOf } from './grpc-js-internals.ts'

type GrpcCall = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>

/** A call that came over gRPC. Its signal is aborted by cancellation, by the deadline and by a forced stop. */
export class GrpcCallInfo implements CallInfo {
  readonly rayId: string
  readonly peer: string
  readonly authorization: readonly string[]
  readonly deadline: EpochMs | null
  readonly operator = false
  readonly #call: GrpcCall
  readonly #connections: Connections
  #answered = false
  #aborted = false
  #controller: AbortController | null = null

  constructor(call: GrpcCall, connections: Connections, newRayId: () => string) {
    this.#call = call
    this.#connections = connections
    this.rayId = rayIdFrom(call.metadata, newRayId)
    this.peer = addressOf(call.getPeer())
    this.authorization = call.metadata.get('authorization').map(String)
    this.deadline = momentOf(call.getDeadline())
  }

  get certificate(): PeerCertificate | null {
    return this.#connections.certificateOf(this.#call)
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      const controller = new AbortController()
      this.#controller = controller
      if (this.#call.cancelled || this.#aborted) controller.abort()
      // grpc-js emits this at the end of every call; only an end before the answer aborts it.
      else this.#call.once('cancelled', () => this.#answered || controller.abort())
    }
    return this.#controller.signal
  }

  get connectionEnds(): AbortSignal {
    return this.#connections.endSignalOf(this.#call)
  }

  header(name: string): string | undefined {
    return this.#call.metadata.get(name)[0]?.toString()
  }

  endedBy(): CallEnded['kind'] | null {
    if (this.#aborted) return 'CANCELLED'
    if (this.#answered || !this.#call.cancelled) return null
    return this.deadline !== null && this.deadline <= Date.now() ? 'DEADLINE_EXCEEDED' : 'CANCELLED'
  }

  /** The answer is on its way: the end of the call is not a cancellation. */
  answered(): void {
    this.#answered = true
  }

  get isAborted(): boolean {
    return this.#aborted
  }

  /** Whether the call came on this HTTP/2 session. */
  isOn(session: object): boolean {
    return sessionOf(this.#call) === session
  }

  /** The server waits no longer for the handler, and has told the caller so. */
  abort(): void {
    this.#aborted = true
    this.#controller?.abort()
  }
}

function momentOf(deadline: Date | number): EpochMs | null {
  const moment = Number(deadline)
  return Number.isFinite(moment) ? epochMs(moment) : null
}

/** The id of a call, from its metadata. */
export function rayIdFrom(metadata: Metadata, newRayId: () => string): string {
  return rayIdOf((key) => metadata.get(key)[0]?.toString(), newRayId)
}

/** The address of a peer without its port: `192.0.2.1:4711` → `192.0.2.1`. */
export function addressOf(peer: string): string {
  const colon = peer.lastIndexOf(':')
  return peerAddress(colon < 0 ? peer : peer.slice(0, colon))
}
