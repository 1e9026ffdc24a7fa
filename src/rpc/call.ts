import type { CallContext, Caller } from '../context.ts'
import type { PeerCertificate } from '../domain/certificate.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { Logger } from '../logger.ts'
import { success } from '../results.ts'
import type { Span } from '../trace.ts'
import type { AdmittedCall } from './admission-control.ts'
import type { CallEnded, CallInfo } from './call-info.ts'

const ANONYMOUS: Caller = Object.freeze({ kind: 'anonymous' })

/** The context of one call; the signal stays the origin's, made when first read. */
export class Call implements CallContext {
  readonly info: CallInfo
  readonly rayId: string
  readonly now: EpochMs
  readonly log: Logger
  readonly peer: string
  readonly deadline: EpochMs | null
  /** Becomes known after authorization, before the handler sees it. */
  caller: Caller = ANONYMOUS
  /** Set when the call begins. */
  span: Span | undefined = undefined
  /** While it has one. */
  turn: AdmittedCall | null = null
  /** Its deadline is over, and it was not waited for any longer. */
  isLate = false
  /** Set with the credentials, before the handler sees it. */
  reauthenticate: CallContext['reauthenticate'] = async () => success(this.caller)

  constructor(info: CallInfo, now: EpochMs, log: Logger) {
    this.info = info
    this.rayId = info.rayId
    this.now = now
    this.log = log
    this.peer = info.peer
    this.deadline = info.deadline
  }

  /** Why nobody waits for the answer any more; `null` while somebody does. */
  interruption(): CallEnded['kind'] | null {
    return this.isLate ? 'DEADLINE_EXCEEDED' : this.info.endedBy()
  }

  get certificate(): PeerCertificate | null {
    return this.info.certificate
  }

  get signal(): AbortSignal {
    return this.info.signal
  }

  get connectionEnds(): AbortSignal | undefined {
    return this.info.connectionEnds
  }
}
