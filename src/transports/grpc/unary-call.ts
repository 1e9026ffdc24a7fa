import type { DescMethodUnary } from '@bufbuild/protobuf'
import type { Beginning } from '../../batching.ts'
import { abortedCall } from '../../rpc/served-method.ts'
import { GrpcCallInfo } from './call-info.ts'
import { type PipelinePort, statusOfThrown } from './pipeline-port.ts'
import { toGrpcStatus } from './status.ts'
import type { CallListener, GrpcStatus, TransportCall } from './transport.ts'

/**
 * A unary call that runs through the pipeline. Messages pass as bytes: the pipeline parses them, so that a malformed message
 * gets a status of QScope and not INTERNAL.
 */
export class UnaryCall extends GrpcCallInfo implements CallListener, Beginning {
  readonly #method: DescMethodUnary
  readonly #port: PipelinePort
  readonly #request: Uint8Array

  constructor(method: DescMethodUnary, port: PipelinePort, call: TransportCall, request: Uint8Array) {
    super(call, port.newRayId)
    this.#method = method
    this.#port = port
    this.#request = request
  }

  begin(): void {
    void this.#run()
  }

  graceExpired(): void {
    if (!this.takeAnswer()) return
    this.abort()
    this.#fail(toGrpcStatus(abortedCall(this.#method), this.rayId, this.#port.helpBase))
  }

  drained(): void {
    // Nothing is written before the answer.
  }

  /** The ray id is sent in the initial metadata of every answer. */
  #fail(status: GrpcStatus): void {
    this.call.start(this.rayId)
    this.call.fail(status)
  }

  async #run(): Promise<void> {
    const { pipeline, answers, state, helpBase } = this.#port
    const { call, rayId } = this
    try {
      const result = await pipeline.answer(this.#method, this, this.#request)
      if (!this.takeAnswer()) return
      if (result.ok) call.answer(rayId, answers.encode(this.#method.output, result.value))
      else this.#fail(toGrpcStatus(result, rayId, helpBase))
    } catch (error) {
      if (this.isAborted) return
      call.fail(statusOfThrown(error, rayId, this.#port))
      this.cancelled()
    } finally {
      state.leave()
      call.release()
    }
  }
}
