import type { DescMethod } from '@bufbuild/protobuf'
import type { Logger } from '../../../context.ts'
import { type FailedResult, fail, type Result } from '../../../results.ts'
import { CallEnded } from '../../../rpc/call-info.ts'
import { abortedCall } from '../../../rpc/served-method.ts'
import type { ServingState } from '../../../rpc/serving-state.ts'
import type { HttpCallInfo } from './http-call-info.ts'
import { untilAborted } from './until-aborted.ts'

/** Waits for the calls that came over HTTP, and says how each ended. How that is written is for its protocol. */
export class RunningCalls {
  readonly #state: ServingState
  readonly #log: Logger
  readonly #abort: AbortSignal

  /** `abort`: aborted when the server waits no longer for its calls. */
  constructor(state: ServingState, log: Logger, abort: AbortSignal) {
    this.#state = state
    this.#log = log
    this.#abort = abort
  }

  /** Never throws. `CallEnded`: nobody waits for the answer any more. */
  async resultOf<T>(
    running: Promise<Result<T>>,
    method: DescMethod,
    info: HttpCallInfo,
  ): Promise<Result<T> | CallEnded> {
    this.#state.enter()
    try {
      // What nobody waits for any more still runs, and counts until it has ended.
      return await untilAborted(
        running.finally(() => this.#state.leave()),
        info.signal,
      )
    } catch (error) {
      return this.#endOf(error, method, info)
    }
  }

  /** The next item of a stream; `null`: it is over. Never throws. */
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

  /** What a call ends with that threw. The pipeline turns errors into answers itself; what else is thrown happened on the way out. */
  #endOf(error: unknown, method: DescMethod, info: HttpCallInfo): FailedResult | CallEnded {
    // The caller, the deadline and the server can abort a call; the first of them counts.
    if (this.#abort.aborted && info.signal.reason === this.#abort.reason) return abortedCall(method)
    const kind = info.endedBy()
    if (kind !== null) return new CallEnded(kind)
    // The deadline may be over by the clock before its timer says so.
    if (error instanceof CallEnded) return error
    this.#log.error({ rayId: info.rayId, err: error }, 'unexpected error while answering')
    return fail('oauth.server_error')
  }
}
