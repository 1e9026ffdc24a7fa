/** The limits of a connection. Times are in milliseconds, sizes in bytes. */
export interface Http2Limits {
  /** The number of requests on one connection whose handlers have not ended (SETTINGS_MAX_CONCURRENT_STREAMS). */
  readonly maxConcurrentStreams: number
  /** The size of a request's header list by RFC 9113 §6.5.2. A longer one is answered with the status 431. */
  readonly maxHeaderListBytes: number
  /** The size of the header lists of all requests of a connection whose handlers have not ended. Beyond it, new requests are refused. */
  readonly maxHeaderBytes: number
  /** The size of an encoded header block. A longer one ends the connection. */
  readonly maxHeaderBlockBytes: number
  /** The content of one request that is being received or not yet consumed (SETTINGS_INITIAL_WINDOW_SIZE). */
  readonly streamWindowBytes: number
  /** The same for all requests of a connection. Several times the window of a stream, so that a waiting request does not block others. */
  readonly connectionWindowBytes: number
  /** The size of the dynamic table of the peer's encoder (SETTINGS_HEADER_TABLE_SIZE). */
  readonly headerTableBytes: number
  /** The amount of data that may wait for the socket. Beyond it, content of answers waits in its stream. */
  readonly socketBufferBytes: number
  /**
   * The amount of data that may wait for the socket of a peer that sends requests and does not read. Beyond it, nothing is
   * read from the peer.
   */
  readonly maxSocketBufferBytes: number
  /** The content that may wait in the streams of a connection. Beyond it, new requests are refused. */
  readonly maxPendingBytes: number
  /** The time from the connection to the peer's preface and SETTINGS. With TLS, the handshake may take the same time in addition. */
  readonly handshakeMs: number
  /** The time from the first to the last byte of a header block, or of any other frame except DATA. */
  readonly frameMs: number
  /** After this time, a connection without requests is asked to end. */
  readonly idleMs: number
  /** A connection that received nothing for this time is pinged. */
  readonly keepaliveTimeMs: number
  /** The time for the acknowledgement of a PING. */
  readonly keepaliveTimeoutMs: number
  /** The minimum interval of the peer's pings while nothing is sent to it. */
  readonly minPingIntervalMs: number
  /** The time that answers may wait while the peer accepts nothing. */
  readonly stallMs: number
  /** The time that a closing server waits for a peer that accepts nothing, acknowledges no PING, or has not sent its preface. */
  readonly closingMs: number
  /** The number of requests that begin in one turn of the event loop, on all connections. */
  readonly maxRequestsPerTurn: number
}

/** The time limits for a peer. */
export interface Patience {
  /** The time from the connection to the peer's preface and SETTINGS. */
  readonly handshakeMs: number
  /** The time while the peer accepts none of its answers. */
  readonly stallMs: number
  /** The time for the acknowledgement of the PING before the final GOAWAY. */
  readonly lastPingMs: number
}

export function patienceOf({ handshakeMs, stallMs, keepaliveTimeoutMs }: Http2Limits): Patience {
  return { handshakeMs, stallMs, lastPingMs: keepaliveTimeoutMs }
}

/** The time limits of a closing server. */
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
