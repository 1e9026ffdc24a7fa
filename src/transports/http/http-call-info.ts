import type { IncomingMessage } from 'node:http'
import { Code, ConnectError } from '@connectrpc/connect'
import type { PeerCertificate } from '../../domain/certificate.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { CallEnded, CallInfo } from '../../rpc/call-info.ts'
import { certificateOn } from '../peer-certificate.ts'

/** A call that came over HTTP. What proxies say of the caller (`x-forwarded-for` and the like) counts for nothing. */
export class HttpCallInfo implements CallInfo {
  readonly rayId: string
  readonly peer: string
  readonly authorization: readonly string[]
  readonly deadline: EpochMs | null
  /** Aborted when the caller is gone, or the deadline has passed. */
  readonly signal: AbortSignal
  readonly operator = false
  readonly #request: IncomingMessage

  constructor(request: IncomingMessage, rayId: string, signal: AbortSignal, deadline: EpochMs | null) {
    this.#request = request
    this.rayId = rayId
    this.signal = signal
    this.deadline = deadline
    // IPv4 in IPv6 clothing as IPv4; a connection that is closed already has no address left.
    this.peer = request.socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '') ?? 'gone'
    this.authorization = request.headersDistinct['authorization'] ?? []
  }

  get certificate(): PeerCertificate | null {
    return certificateOn(this.#request.socket)
  }

  header(name: string): string | undefined {
    return this.#request.headersDistinct[name]?.[0]
  }

  endedBy(): CallEnded['kind'] | null {
    if (!this.signal.aborted) return null
    const { reason }: { readonly reason: unknown } = this.signal
    return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded ? 'DEADLINE_EXCEEDED' : 'CANCELLED'
  }
}
