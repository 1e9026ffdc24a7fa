import type { CallInfo } from '../rpc/call-info.ts'
import type { Span } from '../trace.ts'

/** Begins the span of each call, and sees to it that spans get where they should. */
export interface Tracer {
  /** The span of a call to `package.Service/Method`, as part of the caller's trace if it told of one; `undefined`: not sampled. */
  begin(method: string, info: CallInfo): Span | undefined
  /** Sends what waits, for so long at most, and ends. Never throws. */
  close(longestMs: number): Promise<void>
}
