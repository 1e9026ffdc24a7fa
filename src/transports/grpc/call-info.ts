import type { PeerCertificate } from '../../domain/certificate.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { CallEnded, CallInfo } from '../../rpc/call-info.ts'
import { rayIdOf } from '../../rpc/trace-context.ts'
import type { TransportCall } from './transport.ts'

/** A call that came over gRPC. Its signal is aborted by cancellation, by the deadline and by a forced stop. */
export class GrpcCallInfo implements CallInfo {
  readonly rayId: string
  readonly operator = false
  readonly isPromised = true
  protected readonly call: TransportCall
  /** Whoever answers the call sets it: there is one answer, and what ends the call later is no cancellation. */
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

  /** Whether an answer may still be sent; it counts as sent. */
  protected takeAnswer(): boolean {
    if (this.#answered) return false
    this.#answered = true
    return true
  }

  /** Whether the server has told the caller that it waits no longer. */
  protected get isAborted(): boolean {
    return this.#aborted
  }

  /** Nobody waits for the work of this call any more. */
  protected abort(): void {
    this.#aborted = true
    this.#controller?.abort()
  }

  /** See `CallListener`. */
  cancelled(): void {
    this.#controller?.abort()
  }
}

/** The id of a call, from its metadata. */
export function rayIdFrom(call: TransportCall, newRayId: () => string): string {
  return rayIdOf(call, newRayId)
}
