import type { DescMethod } from '@bufbuild/protobuf'
import type { Logger } from '../../../context.ts'
import { type FailedResult, fail, type Result } from '../../../results.ts'
import { CallEnded } from '../../../rpc/call-info.ts'
import { abortedCall } from '../../../rpc/served-method.ts'
import type { ServingState } from '../../../rpc/serving-state.ts'
import type { HttpCallInfo } from './http-call-info.ts'
import { untilAborted } from './until-aborted.ts'

/** Waits for the calls over HTTP and reports how each ended. The protocol of the call decides how that is written. */
export class RunningCalls {
  readonly #state: ServingState
  readonly #log: Logger
  readonly #abort: AbortSignal

  /** `abort`: aborted when the server stops waiting for its calls. */
  constructor(state: ServingState, log: Logger, abort: AbortSignal) {
    this.#state = state
    this.#log = log
    this.#abort = abort
  }

  /** Never throws. `CallEnded`: the answer is no longer needed. */
  async resultOf<T>(
    running: Promise<Result<T>>,
    method: DescMethod,
    info: HttpCallInfo,
  ): Promise<Result<T> | CallEnded> {
    this.#state.enter()
    try {
      // The work goes on after its caller stopped waiting, and counts until it has ended.
      return await untilAborted(
        running.finally(() => this.#state.leave()),
        info.signal,
      )
    } catch (error) {
      return this.#endOf(error, method, info)
    }
  }

  /** The next item of a stream; `null` at its end. Never throws. */
  async nextOf<T>(
    items: AsyncIterator<Result<T>, unknown, void>,
    method: DescMethod,
    info: HttpCallInfo,
  ): Promise<Result<T> | CallEnded | null> {
    try {
      const next = await untilAborted(items.next(), info.signal)
      return next.done === true ? null : next.value
    } catch (error) {
      return this.#endOf(error, method, info)
    }
  }

  /** The end of a call that threw. The pipeline turns errors into answers itself; any other error occurred while the answer was sent. */
  #endOf(error: unknown, method: DescMethod, info: HttpCallInfo): FailedResult | CallEnded {
    // The caller, the deadline and the server can abort a call. The first of them counts.
    if (this.#abort.aborted && info.signal.reason === this.#abort.reason) return abortedCall(method)
    const kind = info.endedBy()
    if (kind !== null) return new CallEnded(kind)
    // The deadline may have passed by the clock before its timer fires.
    if (error instanceof CallEnded) return error
    this.#log.error({ rayId: info.rayId, err: error }, 'unexpected error while answering')
    return fail('oauth.server_error')
  }
}
