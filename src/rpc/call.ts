import type { Message } from '@bufbuild/protobuf'
import type { Credentials } from '../auth/credentials.ts'
import type { CallContext, Caller, Logger, Span } from '../context.ts'
import type { PeerCertificate } from '../domain/certificate.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { ClientAuthentication } from '../gen/qscope/v1/client_authentication_pb.ts'
import type { FailedResult } from '../results.ts'
import type { AdmittedCall } from './admission-control.ts'
import type { CallEnded, CallInfo } from './call-info.ts'
import type { EncodedRequest } from './request-limits/request-parser.ts'
import type { ServedMethod } from './served-method.ts'

const ANONYMOUS: Caller = Object.freeze({ kind: 'anonymous' })
const NO_CREDENTIALS: Credentials = Object.freeze({ kind: 'none' })

/**
 * One call in the pipeline, and the context of its handler. Each stage stores its
 * results here. The abort signal is the transport's, created at first use.
 */
export class Call implements CallContext {
  readonly method: ServedMethod
  readonly info: CallInfo
  readonly rayId: string
  readonly now: EpochMs
  readonly log: Logger
  readonly peer: string
  readonly deadline: EpochMs | null

  /** The request as the transport handed it over. */
  readonly received: Message | EncodedRequest
  /** The client authentication in the request; `null` if there is none. */
  clientAuthentication: ClientAuthentication | null = null
  /** Of a call of a trusted proxy, the certificate that it saw, `null`: none; `undefined`: the call came directly. */
  forwardedCertificate: PeerCertificate | null | undefined = undefined
  /** How many items the request asks for. */
  items = 0
  credentials: Credentials = NO_CREDENTIALS
  /** While it occupies admission control. */
  admission: AdmittedCall | null = null
  /** Set by authentication, before the handler runs. */
  caller: Caller = ANONYMOUS
  /** The request, once it is decoded. */
  message: Message | null = null
  /** Set by authentication, before the handler runs. */
  reauthenticate: CallContext['reauthenticate'] = notAuthenticated

  /** Of the access log. */
  startedAt = 0
  span: Span | undefined = undefined
  failure: FailedResult | null = null
  /** Whether its deadline passed and its work was abandoned. */
  isLate = false

  constructor(method: ServedMethod, info: CallInfo, received: Message | EncodedRequest, now: EpochMs, log: Logger) {
    this.method = method
    this.info = info
    this.rayId = info.rayId
    this.now = now
    this.log = log
    this.peer = info.peer
    this.deadline = info.deadline
    this.received = received
  }

  /** Why the caller no longer waits for the answer; `null` while it waits. */
  endedBy(): CallEnded['kind'] | null {
    return this.isLate ? 'DEADLINE_EXCEEDED' : this.info.endedBy()
  }

  /** Ends its admission, if it has one. */
  leaveAdmission(): void {
    if (this.admission === null) return
    const { control, queue, size } = this.admission
    control.release(queue, size)
    this.admission = null
  }

  /** Of the caller: what a trusted proxy told of it, else what the connection showed. */
  get certificate(): PeerCertificate | null {
    return this.forwardedCertificate === undefined ? this.info.certificate : this.forwardedCertificate
  }

  get signal(): AbortSignal {
    return this.info.signal
  }

  get connectionEnds(): AbortSignal | undefined {
    return this.info.connectionEnds
  }
}

async function notAuthenticated(): Promise<never> {
  throw new Error('the call has not been authenticated yet')
}
