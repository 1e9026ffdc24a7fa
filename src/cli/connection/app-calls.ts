import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import type { App } from '../../app/app.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { registry } from '../../errors/registry.ts'
import type { FailedResult } from '../../results.ts'
import { operatorCallInfo } from '../../rpc/call-info.ts'
import { reasonOf, sentenceOf } from '../../rpc/rpc-status.ts'
import {
  type CallCredentials,
  CallFailure,
  type Calls,
  type StreamMethod,
  type UnaryMethod,
  withClientCredentials,
} from './calls.ts'

/** Calls of the operator on an application in this process. The caller that opened the application closes it. */
export class AppCalls implements Calls {
  readonly #app: Pick<App, 'pipeline'>
  readonly #credentials: CallCredentials

  constructor(app: Pick<App, 'pipeline'>, credentials: CallCredentials) {
    this.#app = app
    this.#credentials = credentials
  }

  get hasClient(): boolean {
    return this.#credentials.client !== null
  }

  get bearer(): string | null {
    return this.#credentials.bearer
  }

  get authenticatesClient(): boolean {
    return this.#credentials.client !== null
  }

  async call<Input extends DescMessage, Output extends DescMessage>(
    method: UnaryMethod<Input, Output>,
    request: MessageInitShape<Input>,
  ): Promise<MessageShape<Output>> {
    const rayId = uuidV7()
    const message = create(method.input, withClientCredentials(method, request, this.#credentials))
    const result = await this.#app.pipeline.call(method, operatorCallInfo(rayId), message)
    if (result.ok) return result.value
    throw callFailure(result, rayId)
  }

  async *stream<Input extends DescMessage, Output extends DescMessage>(
    method: StreamMethod<Input, Output>,
    request: MessageInitShape<Input>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<Output>, void, void> {
    const rayId = uuidV7()
    const message = create(method.input, withClientCredentials(method, request, this.#credentials))
    try {
      for await (const item of this.#app.pipeline.stream(method, operatorCallInfo(rayId, signal), message)) {
        if (!item.ok) throw callFailure(item, rayId)
        yield item.value
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async close(): Promise<void> {
    // The application belongs to the caller.
  }
}

function callFailure(failed: FailedResult, rayId: string): CallFailure {
  const { code, details } = failed
  const { violations = [], metadata = {}, retryAfterMs = null } = details
  return new CallFailure({
    reason: reasonOf(code),
    status: registry[code].status,
    description: sentenceOf(failed),
    violations,
    metadata,
    retryAfterMs,
    rayId,
  })
}
