import type { PeerCertificate } from '../domain/certificate.ts'
import type { EpochMs } from '../domain/ids.ts'

/** The caller no longer waits for the answer. The transport has its own status for this. */
export class CallEnded extends Error {
  readonly kind: 'CANCELLED' | 'DEADLINE_EXCEEDED'

  constructor(kind: CallEnded['kind'], options?: ErrorOptions) {
    super(kind === 'CANCELLED' ? 'The call was cancelled.' : 'The deadline has passed.', options)
    this.kind = kind
  }
}

/** What a transport knows about a call: everything that the pipeline needs besides the method and the message. */
export interface CallInfo {
  readonly rayId: string
  /** The address of the caller without its port, or `local`. */
  readonly peer: string
  /** Shown by the peer in the TLS handshake with this server, never told by metadata; `null`: none. */
  readonly certificate: PeerCertificate | null
  /** Every value of the metadata `authorization`. */
  readonly authorization: readonly string[]
  readonly deadline: EpochMs | null
  /** May be created at first use: an AbortController for every call would cost a quarter of the throughput. */
  readonly signal: AbortSignal
  /** See `CallContext`; made when first read. */
  readonly connectionEnds?: AbortSignal
  /**
   * Whether the transport itself announces its last call and has accepted this one, as the GOAWAY of HTTP/2 does. Such a
   * call is served while the server is draining.
   */
  readonly isPromised?: boolean
  /** Whether the call works on the database directly. Management methods then require no credentials. */
  readonly operator: boolean
  /** Returns the first text value of a metadata key; absent for a transport without metadata. */
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
