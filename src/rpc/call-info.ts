import type { PeerCertificate } from '../domain/certificate.ts'
import type { EpochMs } from '../domain/ids.ts'

/** Nobody waits for the answer any more; the transport has its own status for it. */
export class CallEnded extends Error {
  readonly kind: 'CANCELLED' | 'DEADLINE_EXCEEDED'

  constructor(kind: CallEnded['kind'], options?: ErrorOptions) {
    super(kind === 'CANCELLED' ? 'The call was cancelled.' : 'The deadline has passed.', options)
    this.kind = kind
  }
}

/** What a transport knows of a call: all that the pipeline needs beside the method and the message. */
export interface CallInfo {
  readonly rayId: string
  /** The address of the caller without its port, or `local`. */
  readonly peer: string
  /** Shown by the peer in the TLS handshake with this server, never told by metadata; `null`: none. */
  readonly certificate: PeerCertificate | null
  /** Every value of the metadata `authorization`. */
  readonly authorization: readonly string[]
  readonly deadline: EpochMs | null
  /** May be made when first read: an AbortController a call costs a quarter of the throughput. */
  readonly signal: AbortSignal
  /** See `CallContext`; made when first read. */
  readonly connectionEnds?: AbortSignal
  /**
   * Whether the transport itself says from when on it answers no more calls, and that this one is answered: the GOAWAY
   * of HTTP/2 names the last request. Such a call is served while the server is draining.
   */
  readonly isPromised?: boolean
  /** Works on the database directly: management methods ask it for no credentials. */
  readonly operator: boolean
  /** The first value of a metadata key that is text; a transport without metadata has no such function. */
  header?(name: string): string | undefined
  /** All values of a metadata key that is text. */
  headers?(name: string): readonly string[]
  /** Why nobody waits for the answer any more; `null` while somebody does. */
  endedBy(): CallEnded['kind'] | null
}

/** The command line's own call, inside the process. */
export function operatorCallInfo(rayId: string, signal: AbortSignal = new AbortController().signal): CallInfo {
  return {
    rayId,
    peer: 'local',
    certificate: null,
    authorization: [],
    deadline: null,
    signal,
    operator: true,
    endedBy: () => (signal.aborted ? 'CANCELLED' : null),
  }
}
