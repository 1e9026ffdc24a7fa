import { type DescMethodServerStreaming, toBinary } from '@bufbuild/protobuf'
import { abortedCall } from '../../rpc/served-method.ts'
import { GrpcCallInfo } from './call-info.ts'
import { type PipelinePort, statusOfThrown } from './pipeline-port.ts'
import { toGrpcStatus } from './status.ts'
import type { CallListener, TransportCall } from './transport.ts'

/** A call with a stream of answers that runs through the pipeline. */
export class StreamCall extends GrpcCallInfo implements CallListener {
  readonly #method: DescMethodServerStreaming
  readonly #port: PipelinePort
  readonly #request: Uint8Array
  /** Settles when the caller has read enough or has disconnected. */
  #waiting: PromiseWithResolvers<void> | null = null

  constructor(method: DescMethodServerStreaming, port: PipelinePort, call: TransportCall, request: Uint8Array) {
    super(call, port.newRayId)
    this.#method = method
    this.#port = port
    this.#request = request
  }

  begin(): void {
    this.call.start(this.rayId)
    void this.#run()
  }

  graceExpired(): void {
    if (!this.takeAnswer()) return
    this.abort()
    this.call.fail(toGrpcStatus(abortedCall(this.#method), this.rayId, this.#port.helpBase))
    this.drained()
  }

  drained(): void {
    this.#waiting?.resolve()
    this.#waiting = null
  }

  override cancelled(): void {
    super.cancelled()
    this.drained()
  }

  async #run(): Promise<void> {
    const { state } = this.#port
    try {
      await this.#sendItems()
    } catch (error) {
      if (this.isAborted) return
      this.call.fail(statusOfThrown(error, this.rayId, this.#port))
      this.cancelled()
    } finally {
      state.leave()
      this.call.release()
    }
  }

  async #sendItems(): Promise<void> {
    const { pipeline, helpBase } = this.#port
    const { call } = this
    for await (const item of pipeline.stream(this.#method, this, this.#request)) {
      if (this.isAborted) return
      if (!item.ok) {
        if (this.takeAnswer()) call.fail(toGrpcStatus(item, this.rayId, helpBase))
        return
      }
      if (call.isCancelled) return
      if (!call.write(toBinary(this.#method.output, item.value))) await this.#writable()
    }
    if (this.takeAnswer()) call.end()
  }

  #writable(): Promise<void> {
    if (this.call.isCancelled) return Promise.resolve()
    this.#waiting = Promise.withResolvers<void>()
    return this.#waiting.promise
  }
}
