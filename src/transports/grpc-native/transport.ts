import { HANDSHAKE_MS } from '../grpc/limits.ts'
import type { GrpcTransport, ListenAddress, TransportSettings } from '../grpc/transport.ts'
import type { Http2Connection } from '../http2/application.ts'
import { GrpcApplication } from '../http2/grpc/application.ts'
import { Http2Server, type Http2TlsOptions } from '../http2/server.ts'
import { ListenerErrors } from '../listener-errors.ts'
import { PeerCertificates, peerOn } from '../peer.ts'
import { contextOf, type TlsSource } from '../tls.ts'
import { AnswerHeaders } from './answer-headers.ts'
import { NativeConnection } from './connection.ts'
import { IncomingBudget } from './incoming-budget.ts'
import { nativeMethod } from './methods.ts'

const CONTENT_TYPE = 'application/grpc+proto'
/**
 * A message that waits for its place in the budget occupies a stream's window. This size lets many messages wait before other
 * streams are blocked.
 */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024

/** The transport of the port that uses QScope's own HTTP/2 implementation. */
export class NativeTransport implements GrpcTransport {
  readonly #settings: TransportSettings
  readonly #server: Http2Server
  readonly #connections = new Set<NativeConnection>()
  readonly #certificates = new PeerCertificates()

  constructor(settings: TransportSettings) {
    const { methods, limits, tls, log } = settings
    this.#settings = settings
    const of = ({ connection }: { readonly connection: Http2Connection }) => connectionOf(connection)
    const application: GrpcApplication = new GrpcApplication({
      methods: methods.map((method) => nativeMethod(method, () => carrier)),
      maxMessageBytes: limits.maxMessageBytes,
      contentType: CONTENT_TYPE,
      budget: new IncomingBudget(settings, of),
      connections: {
        opened: (connection) => this.#opened(connection),
        closed: (connection) => this.#closed(connection),
      },
    })
    const carrier = { headers: new AnswerHeaders(application.blocks), connectionOf: of }
    this.#server = new Http2Server({
      application,
      limits: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        connectionWindowBytes: CONNECTION_WINDOW_BYTES,
        idleMs: limits.maxConnectionIdleMs,
        keepaliveTimeMs: limits.keepaliveTimeMs,
        keepaliveTimeoutMs: limits.keepaliveTimeoutMs,
        handshakeMs: HANDSHAKE_MS,
      },
      ...(tls !== null && { tls: tlsOptionsOf(tls) }),
      onError: new ListenerErrors('gRPC', log).note,
    })
    tls?.onReplaced((material) => this.#server.setSecureContext(contextOf(material)))
  }

  async listen(address: ListenAddress): Promise<{ readonly port: number }> {
    if (!('path' in address)) return await this.#server.listen(address)
    await this.#server.listenAtPath(address.path)
    return { port: 0 }
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.age.goAway()
    await this.#server.close()
  }

  expireCalls(): void {
    for (const connection of this.#connections) connection.expireCalls()
  }

  destroy(): void {
    this.#server.destroy()
  }

  #opened(connection: Http2Connection): void {
    const { limits, jitter, peerName } = this.#settings
    const known = new NativeConnection(connection, {
      peer: peerOn(connection.socket, peerName),
      certificates: this.#certificates,
      limits,
      jitter: jitter(),
    })
    connection.state = known
    this.#connections.add(known)
  }

  #closed(connection: Http2Connection): void {
    const known = connectionOf(connection)
    known.age.closed()
    this.#connections.delete(known)
  }
}

function connectionOf({ state }: Http2Connection): NativeConnection {
  if (!(state instanceof NativeConnection)) throw new Error('a connection that was not opened')
  return state
}

function tlsOptionsOf(tls: TlsSource): Http2TlsOptions {
  return {
    context: contextOf(tls.material),
    requestCert: tls.clients !== 'none',
    rejectUnauthorized: tls.clients === 'require',
  }
}
