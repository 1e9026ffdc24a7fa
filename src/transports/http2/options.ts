/** What a connection may take up. Times are milliseconds, sizes bytes. */
export interface Http2Limits {
  /** Requests whose handlers have not ended, on one connection (SETTINGS_MAX_CONCURRENT_STREAMS). */
  readonly maxConcurrentStreams: number
  /** A request's header list, as RFC 9113 §6.5.2 counts it. A longer one is answered with the status 431. */
  readonly maxHeaderListBytes: number
  /** The header lists of all requests of a connection whose handlers have not ended, before new requests are refused. */
  readonly maxHeaderBytes: number
  /** A header block before it is decoded. A longer one ends the connection. */
  readonly maxHeaderBlockBytes: number
  /** Content of one request that is on its way or not yet consumed (SETTINGS_INITIAL_WINDOW_SIZE). */
  readonly streamWindowBytes: number
  /** The same of all requests of a connection. Several times that of a stream, so that one that waits does not stop others. */
  readonly connectionWindowBytes: number
  /** The dynamic table of the peer's encoder (SETTINGS_HEADER_TABLE_SIZE). */
  readonly headerTableBytes: number
  /** What may wait for the socket before content of answers waits in its stream. */
  readonly socketBufferBytes: number
  /** What may wait for the socket before nothing more is read from a peer: for one that asks and does not read. */
  readonly maxSocketBufferBytes: number
  /** Content that waits in the streams of a connection before new requests are refused. */
  readonly maxPendingBytes: number
  /** From the connection to the peer's preface and SETTINGS; with TLS, the handshake takes as long again. */
  readonly handshakeMs: number
  /** From the first byte of a header block, or of any other frame but DATA, to its last. */
  readonly frameMs: number
  /** After this a connection without requests is asked to end. */
  readonly idleMs: number
  /** A connection on which nothing has come for so long is pinged. */
  readonly keepaliveTimeMs: number
  /** How long the answer to a PING may take. */
  readonly keepaliveTimeoutMs: number
  /** The peer's own pings may come this often while nothing is sent to it. */
  readonly minPingIntervalMs: number
  /** How long answers may wait while the peer takes nothing. */
  readonly stallMs: number
  /** How long it waits, once it closes, for a peer that takes nothing, answers no PING, or has not even greeted. */
  readonly closingMs: number
  /** Requests that begin in one turn of the event loop, on all connections. */
  readonly maxRequestsPerTurn: number
}

/** How long is waited for a peer. */
export interface Patience {
  /** From the connection to the peer's preface and SETTINGS. */
  readonly handshakeMs: number
  /** While it takes nothing of its answers. */
  readonly stallMs: number
  /** For its answer to the PING that comes before its last requests are named. */
  readonly lastPingMs: number
}

export function patienceOf({ handshakeMs, stallMs, keepaliveTimeoutMs }: Http2Limits): Patience {
  return { handshakeMs, stallMs, lastPingMs: keepaliveTimeoutMs }
}

/** That of a server that closes. */
export function closingPatienceOf(limits: Http2Limits): Patience {
  const { handshakeMs, stallMs, lastPingMs } = patienceOf(limits)
  const atMost = (ms: number) => Math.min(ms, limits.closingMs)
  return { handshakeMs: atMost(handshakeMs), stallMs: atMost(stallMs), lastPingMs: atMost(lastPingMs) }
}

export const DEFAULT_LIMITS: Http2Limits = Object.freeze({
  maxConcurrentStreams: 1_000,
  maxHeaderListBytes: 64 * 1024,
  maxHeaderBytes: 4 * 1024 * 1024,
  maxHeaderBlockBytes: 96 * 1024,
  streamWindowBytes: 64 * 1024,
  connectionWindowBytes: 1024 * 1024,
  headerTableBytes: 4096,
  socketBufferBytes: 64 * 1024,
  maxSocketBufferBytes: 256 * 1024,
  maxPendingBytes: 4 * 1024 * 1024,
  handshakeMs: 10_000,
  frameMs: 10_000,
  idleMs: 15 * 60_000,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  minPingIntervalMs: 10_000,
  stallMs: 120_000,
  closingMs: 5_000,
  maxRequestsPerTurn: 32,
})
