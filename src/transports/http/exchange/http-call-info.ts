import type { IncomingMessage, ServerResponse } from 'node:http'
import { Code, ConnectError, createContextKey } from '@connectrpc/connect'
import type { PeerCertificate } from '../../../domain/certificate.ts'
import type { EpochMs } from '../../../domain/ids.ts'
import type { CallEnded, CallInfo } from '../../../rpc/call-info.ts'
import type { EncodedRequest } from '../../../rpc/request-limits/request-parser.ts'
import type { PeerCertificates } from '../../peer.ts'

/** A request over HTTP, and the information that is known before it is answered. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly rayId: string
  /** The address of the caller, or the name that it shares with all peers of a Unix domain socket. */
  readonly peer: string
  /** The certificates of the server's connections. */
  readonly certificates: PeerCertificates
  /** The message of the call as it was received; `null`: it was in the URL. */
  message: EncodedRequest | null
}

/** The context key that passes the exchange of a call through Connect. */
export const EXCHANGE = createContextKey<Exchange | null>(null, { description: 'the HTTP exchange of a call' })

/** A call over HTTP. Headers of proxies about the caller's address (such as `x-forwarded-for`) are ignored. */
export class HttpCallInfo implements CallInfo {
  readonly rayId: string
  readonly peer: string
  readonly authorization: readonly string[]
  readonly deadline: EpochMs | null
  /** Aborted when the caller has disconnected or the deadline has passed. */
  readonly signal: AbortSignal
  readonly operator = false
  readonly #exchange: Exchange

  constructor(exchange: Exchange, signal: AbortSignal, deadline: EpochMs | null) {
    const { request, rayId, peer } = exchange
    this.#exchange = exchange
    this.rayId = rayId
    this.signal = signal
    this.deadline = deadline
    this.peer = peer
    this.authorization = request.headersDistinct['authorization'] ?? []
  }

  get path(): string {
    return pathOf(this.#exchange.request)
  }

  /** The parameters of the address; empty where there is no query. */
  get query(): URLSearchParams {
    const { url = '' } = this.#exchange.request
    const start = url.indexOf('?')
    return new URLSearchParams(start < 0 ? '' : url.slice(start))
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

/** The path exactly as it was sent. Nothing is decoded or resolved, so each path has one spelling. */
export function pathOf({ url = '' }: IncomingMessage): string {
  // RFC 9112 §3.2.2: a server also accepts the absolute form.
  const target = url.startsWith('/') ? url : (URL.parse(url)?.pathname ?? '')
  return target.split('?', 1).join('')
}
