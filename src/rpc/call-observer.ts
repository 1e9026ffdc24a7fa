import type { DescMethod } from '@bufbuild/protobuf'
import type { Span } from '../context.ts'
import type { ErrorCode, StatusName } from '../errors/registry.ts'
import type { CallEnded, CallInfo } from './call-info.ts'

/** The status that a call ends with. */
export type EndStatus = 'OK' | StatusName | CallEnded['kind']

/** Sees the calls of one method. It stands in the path of each, so it is quick and never throws. */
export interface MethodObserver {
  /** A call begins. The span is the call's, if it is traced. */
  begun(info: CallInfo): Span | undefined
  /** It ends: with what status, for which registered reason, after how long, and with the span that `begun` gave. */
  ended(status: EndStatus, reason: ErrorCode | null, durationMs: number, span: Span | undefined): void
}

/** Sees all calls, whichever transport they came by. */
export interface CallObserver {
  /** Asked once for each method, before the first call. */
  of(method: DescMethod): MethodObserver
}
