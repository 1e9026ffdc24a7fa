import type { DescMethod } from '@bufbuild/protobuf'
import type { Span } from '../context.ts'
import type { ErrorCode, StatusName } from '../errors/registry.ts'
import type { CallEnded, CallInfo } from './call-info.ts'

/** The status that a call ends with. */
export type EndStatus = 'OK' | StatusName | CallEnded['kind']

/** Observes the calls of one method. It runs in the path of each call, so it must be fast and must not throw. */
export interface MethodObserver {
  /** A call begins. The span is the call's, if it is traced. */
  begun(info: CallInfo): Span | undefined
  /** A call ends, with its status, its registered reason, its duration, and the span that `begun` returned. */
  ended(status: EndStatus, reason: ErrorCode | null, durationMs: number, span: Span | undefined): void
}

/** Observes all calls of all transports. */
export interface CallObserver {
  /** Asked once for each method, before the first call. */
  of(method: DescMethod): MethodObserver
}
