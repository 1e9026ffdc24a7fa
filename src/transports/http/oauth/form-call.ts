import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { mapResult, type Result } from '../../../results.ts'
import type { CallInfo } from '../../../rpc/call-info.ts'
import type { Pipeline } from '../../../rpc/pipeline.ts'
import type { Answer } from '../exchange/answer.ts'

/** A call that a form requests. */
export interface FormCall {
  readonly method: DescMethodUnary
  /** Runs the call through the pipeline. Throws as `Pipeline.call` does. */
  run(pipeline: Pipeline, info: CallInfo): Promise<Result<Answer>>
}

/** A call of the contract that a form requests. */
export class MethodCall<I extends DescMessage, O extends DescMessage> implements FormCall {
  readonly method: DescMethodUnary<I, O>
  readonly #request: Result<MessageInitShape<I>>
  readonly #toAnswer: (response: MessageShape<O>) => Answer

  /** `request`: the request, or the reason why the form is not a valid request. */
  constructor(
    method: DescMethodUnary<I, O>,
    request: Result<MessageInitShape<I>>,
    toAnswer: (response: MessageShape<O>) => Answer,
  ) {
    this.method = method
    this.#request = request
    this.#toAnswer = toAnswer
  }

  /** The request is encoded, so that the same limits apply to it as over gRPC. */
  async run(pipeline: Pipeline, info: CallInfo): Promise<Result<Answer>> {
    const { method } = this
    if (!this.#request.ok) return pipeline.refuse(method, info, this.#request)
    const encoded = toBinary(method.input, create(method.input, this.#request.value))
    return mapResult(await pipeline.call(method, info, encoded), this.#toAnswer)
  }
}
