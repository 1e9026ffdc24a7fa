import type { IncomingMessage, ServerResponse } from 'node:http'
import { Code, ConnectError, createContextKey } from '@connectrpc/connect'
import type { PeerCertificate } from '../../../domain/certificate.ts'
import type { EpochMs } from '../../../domain/ids.ts'
import type { CallEnded, CallInfo } from '../../../rpc/call-info.ts'
import type { EncodedRequest } from '../../../rpc/request-limits/request-parser.ts'
import { type PeerCertificates, peerAddress } from '../../peer.ts'

/** One request over HTTP, and what is known of it before anybody answers. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly rayId: string
  /** Those of the server's connections. */
  readonly certificates: PeerCertificates
  /** The message of the call as it came; `null`: it was in the URL. */
  message: EncodedRequest | null
}

/** Under which a call's exchange is handed through Connect. */
export const EXCHANGE = createContextKey<Exchange | null>(null, { description: 'the HTTP exchange of a call' })

/** A call that came over HTTP. What proxies say of the caller's address (`x-forwarded-for` and the like) counts for nothing. */
export class HttpCallInfo implements CallInfo {
  readonly rayId: string
  readonly peer: string
  readonly authorization: readonly string[]
  readonly deadline: EpochMs | null
  /** Aborted when the caller is gone, or the deadline has passed. */
  readonly signal: AbortSignal
  readonly operator = false
  readonly #exchange: Exchange

  constructor(exchange: Exchange, signal: AbortSignal, deadline: EpochMs | null) {
    const { request, rayId } = exchange
    this.#exchange = exchange
    this.rayId = rayId
    this.signal = signal
    this.deadline = deadline
    // A connection that is closed already has no address left.
    this.peer = peerAddress(request.socket.remoteAddress ?? 'gone')
    this.authorization = request.headersDistinct['authorization'] ?? []
  }

  get path(): string {
    return pathOf(this.#exchange.request)
  }

  get certificate(): PeerCertificate | null {
    const { certificates, request } = this.#exchange
    return certificates.on(request.socket)
  }

  header(name: string): string | undefined {
    return this.#exchange.request.headersDistinct[name]?.[0]
  }

  headers(name: string): readonly string[] {
    return this.#exchange.request.headersDistinct[name] ?? []
  }

  endedBy(): CallEnded['kind'] | null {
    if (!this.signal.aborted) return null
    const { reason }: { readonly reason: unknown } = this.signal
    return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded ? 'DEADLINE_EXCEEDED' : 'CANCELLED'
  }
}

/** Exactly as it was sent: nothing is decoded or resolved, so there is one spelling of each path. */
export function pathOf({ url = '' }: IncomingMessage): string {
  // RFC 9112 §3.2.2: a server takes the absolute form too.
  const target = url.startsWith('/') ? url : (URL.parse(url)?.pathname ?? '')
  return target.split('?', 1).join('')
}
