import { constants } from 'node:crypto'
import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls'
import type { Http2Application, Http2Connection } from './application.ts'
import { BlockPool } from './block-pool.ts'
import { ServerConnection, type Shared } from './connection.ts'
import { BlockReader } from './hpack/block-reader.ts'
import { closingPatienceOf, DEFAULT_LIMITS, type Http2Limits, type Patience, patienceOf } from './options.ts'
import { RequestPacer } from './request-pacer.ts'
import { WriteScheduler } from './write-scheduler.ts'

/** The TLS options of a server. */
export interface Http2TlsOptions {
  /** Certificate, key and CA. This module sets the protocol version and the ciphers. */
  readonly context: SecureContextOptions
  /** Whether the server requests a client certificate, and refuses clients without one that the CA issued. */
  readonly requestCert: boolean
  readonly rejectUnauthorized: boolean
}

export interface Http2ServerOptions {
  readonly application: Http2Application
  readonly limits?: Partial<Http2Limits>
  /** Without it, plaintext with prior knowledge (RFC 9113 §3.3). */
  readonly tls?: Http2TlsOptions
  /** The memory for frames. By default the server has its own. */
  readonly blocks?: BlockPool
  /** Called for each accept that fails. The calls may come in every turn of the event loop. */
  readonly onError: (error: Error) => void
}

const ALPN = 'h2'
/** RFC 9113 §9.2.2 permits only ciphers of TLS 1.2 with ephemeral keys and authenticated encryption. TLS 1.3 has no others. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')
/** The longest and shortest interval between two checks of the connections' deadlines. */
const MAX_CHECK_MS = 1_000
const MIN_CHECK_MS = 10

/** Listens, and manages the connections. */
export class Http2Server {
  readonly #limits: Http2Limits
  readonly #shared: Shared
  readonly #server: Server | TlsServer
  readonly #isTls: boolean
  readonly #onError: (error: Error) => void
  readonly #connections = new Set<ServerConnection>()
  /** Sockets whose TLS handshake is incomplete, by peer. */
  readonly #handshaking = new Map<string, Socket>()
  #checks: NodeJS.Timeout | undefined
  #listens = true
  /** The reason why the server accepts no more connections; `null` while it accepts them. */
  #closing: { readonly reason: string | undefined; readonly since: number } | null = null
  #patience: Patience
  /** Callbacks for the time when all connections have closed. */
  #waiting: (() => void)[] = []

  constructor(options: Http2ServerOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#patience = patienceOf(this.#limits)
    this.#shared = {
      application: options.application,
      limits: this.#limits,
      blocks: options.blocks ?? new BlockPool(),
      writes: new WriteScheduler(),
      pacer: new RequestPacer(this.#limits.maxRequestsPerTurn),
      blockReader: new BlockReader(),
    }
    this.#isTls = options.tls !== undefined
    this.#onError = options.onError
    this.#server = options.tls === undefined ? this.#plain() : this.#secure(options.tls)
  }

  /** The connections that have not closed. */
  get connections(): Iterable<Http2Connection> {
    return this.#connections
  }

  /** @throws the error of `net.Server` if the server cannot listen at the address. */
  async listen(options: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
    await this.#listen(options)
    return this.#server.address() as AddressInfo
  }

  /** Listens at a Unix domain socket. @throws the error of `net.Server` if the server cannot. */
  async listenAtPath(path: string): Promise<void> {
    await this.#listen({ path })
  }

  /** New connections use this certificate. Existing ones keep theirs. */
  setSecureContext(context: SecureContextOptions): void {
    if (!this.#isTls) throw new TypeError('a server without TLS has no certificate')
    const server = this.#server as TlsServer
    server.setSecureContext(strict(context))
  }

  /** Accepts no more connections, and asks the existing ones to end. Settles when all have closed. */
  close(reason?: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#closing = { reason, since: performance.now() }
      this.#patience = closingPatienceOf(this.#limits)
      this.#server.close(() => {
        this.#listens = false
        this.#settle()
      })
      for (const connection of this.#connections) connection.goAway(reason)
    })
  }

  /** Destroys all connections. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy()
    this.#dropHandshakes()
  }

  #listen(options: ListenOptions): Promise<void> {
    const server = this.#server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(options, () => {
        server.off('error', reject)
        // From now on, an error is a failed accept, for example without free file descriptors. It concerns only its peer; the
        // others are served.
        server.on('error', this.#onError)
        this.#checks = setInterval(this.#check, this.#checkInterval()).unref()
        resolve()
      })
    })
  }

  #plain(): Server {
    return createServer({ noDelay: true }, (socket) => this.#accept(socket))
  }

  #secure({ context, requestCert, rejectUnauthorized }: Http2TlsOptions): TlsServer {
    const server = createTlsServer({
      ...strict(context),
      requestCert,
      rejectUnauthorized,
      ALPNProtocols: [ALPN],
      handshakeTimeout: this.#limits.handshakeMs,
    })
    server.on('connection', (socket: Socket) => {
      socket.setNoDelay(true)
      const peer = peerOf(socket)
      this.#handshaking.set(peer, socket)
      socket.once('close', () => {
        if (this.#handshaking.get(peer) === socket) this.#handshaking.delete(peer)
      })
    })
    server.on('secureConnection', (socket: TLSSocket) => {
      this.#handshaking.delete(peerOf(socket))
      // RFC 9113 §3.2: a client that does not negotiate `h2` uses another protocol.
      if (socket.alpnProtocol === ALPN) this.#accept(socket)
      else socket.destroy()
    })
    // A failed handshake concerns only its peer. Its socket is closed.
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    return server
  }

  #accept(socket: Socket | TLSSocket): void {
    const connection = new ServerConnection(socket, this.#shared)
    this.#connections.add(connection)
    // The TLS handshake was in progress when the server began to close.
    if (this.#closing !== null) connection.goAway(this.#closing.reason)
    socket.once('close', () => {
      this.#connections.delete(connection)
      this.#settle()
    })
  }

  #settle(): void {
    if (this.#listens || this.#connections.size > 0) return
    clearInterval(this.#checks)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  readonly #check = (): void => {
    // A process that was stopped or busy first reads the bytes that have arrived meanwhile.
    setImmediate(() => {
      const now = performance.now()
      for (const connection of this.#connections) connection.check(now, this.#patience)
      if (this.#closing !== null && now - this.#closing.since > this.#patience.handshakeMs) this.#dropHandshakes()
    })
  }

  #dropHandshakes(): void {
    for (const socket of this.#handshaking.values()) socket.destroy()
  }

  /** An interval that is short enough for the shortest deadline. */
  #checkInterval(): number {
    const { handshakeMs, frameMs, idleMs, keepaliveTimeMs, keepaliveTimeoutMs, stallMs, closingMs } = this.#limits
    const ofRequests = Math.min(handshakeMs, frameMs, stallMs, closingMs)
    const shortest = Math.min(ofRequests, idleMs, keepaliveTimeMs, keepaliveTimeoutMs)
    return Math.min(MAX_CHECK_MS, Math.max(MIN_CHECK_MS, shortest / 4))
  }
}

/** Identifies an open connection of a listener. The value is the same before and after the TLS handshake. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

function strict(context: SecureContextOptions): SecureContextOptions {
  // RFC 9113 §9.2.1: neither compression nor renegotiation. Node.js does not support early data.
  const secureOptions =
    (context.secureOptions ?? 0) | constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_NO_RENEGOTIATION
  return { minVersion: 'TLSv1.2', ...context, ciphers: CIPHERS, secureOptions }
}
