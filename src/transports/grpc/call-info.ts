import type { PeerCertificate } from '../../domain/certificate.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { CallEnded, CallInfo } from '../../rpc/call-info.ts'
import { rayIdOf } from '../../rpc/trace-context.ts'
import type { TransportCall } from './transport.ts'

/** A call over gRPC. Cancellation, the deadline and a forced stop abort its signal. */
export class GrpcCallInfo implements CallInfo {
  readonly rayId: string
  readonly operator = false
  readonly isPromised = true
  protected readonly call: TransportCall
  /** Set by the code that answers the call. There is one answer, and an end after it is not a cancellation. */
  #answered = false
  #aborted = false
  #controller: AbortController | null = null

  constructor(call: TransportCall, newRayId: () => string) {
    this.call = call
    this.rayId = rayIdFrom(call, newRayId)
  }

  get peer(): string {
    return this.call.peer
  }

  get deadline(): EpochMs | null {
    return this.call.deadline
  }

  get authorization(): readonly string[] {
    return this.call.headers('authorization')
  }

  get certificate(): PeerCertificate | null {
    return this.call.certificate
  }

  get connectionEnds(): AbortSignal {
    return this.call.connectionEnds
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#aborted || this.call.isCancelled) this.#controller.abort()
    }
    return this.#controller.signal
  }

  header(name: string): string | undefined {
    return this.call.header(name)
  }

  headers(name: string): readonly string[] {
    return this.call.headers(name)
  }

  endedBy(): CallEnded['kind'] | null {
    if (this.#aborted) return 'CANCELLED'
    if (this.#answered || !this.call.isCancelled) return null
    const { deadline } = this.call
    return deadline !== null && deadline <= Date.now() ? 'DEADLINE_EXCEEDED' : 'CANCELLED'
  }

  /** Returns whether an answer may still be sent. If so, it counts as sent. */
  protected takeAnswer(): boolean {
    if (this.#answered) return false
    this.#answered = true
    return true
  }

  /** Whether the server has told the caller that it stopped waiting. */
  protected get isAborted(): boolean {
    return this.#aborted
  }

  /** Aborts the signal: the result of this call is no longer needed. */
  protected abort(): void {
    this.#aborted = true
    this.#controller?.abort()
  }

  /** See `CallListener`. */
  cancelled(): void {
    this.#controller?.abort()
  }
}

/** The id of a call from its metadata, or a new one. */
export function rayIdFrom(call: TransportCall, newRayId: () => string): string {
  return rayIdOf(call, newRayId)
}
