import type { DescMethodServerStreaming, DescMethodUnary } from '@bufbuild/protobuf'
import { pathOf, type Route } from '../../rpc/routes.ts'
import type { PipelinePort } from './pipeline-port.ts'
import { StreamCall } from './stream-call.ts'
import type { CallListener, SingleRequestMethod, TransportCall } from './transport.ts'
import { UnaryCall } from './unary-call.ts'

/** A method of the pipeline, as a transport serves it. */
export function pipelineMethod(route: Route, port: PipelinePort): SingleRequestMethod {
  switch (route.kind) {
    case 'unary':
      return new UnaryMethod(route.method, port)
    case 'serverStream':
      return new ServerStreamMethod(route.method, port)
    default:
      return route satisfies never
  }
}

class UnaryMethod implements SingleRequestMethod {
  readonly kind = 'unary'
  readonly path: string
  /** The pipeline ends every call at its deadline. */
  readonly keepsDeadline = true
  readonly #method: DescMethodUnary
  readonly #port: PipelinePort

  constructor(method: DescMethodUnary, port: PipelinePort) {
    this.path = pathOf(method)
    this.#method = method
    this.#port = port
  }

  begin(call: TransportCall, request: Uint8Array): CallListener {
    this.#port.state.enter()
    const begun = new UnaryCall(this.#method, this.#port, call, request)
    this.#port.scheduler.startTogether(begun)
    return begun
  }
}

class ServerStreamMethod implements SingleRequestMethod {
  readonly kind = 'serverStream'
  readonly path: string
  /** The method, and the pipeline with it, may wait for a caller that does not read. */
  readonly keepsDeadline = false
  readonly #method: DescMethodServerStreaming
  readonly #port: PipelinePort

  constructor(method: DescMethodServerStreaming, port: PipelinePort) {
    this.path = pathOf(method)
    this.#method = method
    this.#port = port
  }

  begin(call: TransportCall, request: Uint8Array): CallListener {
    this.#port.state.enter()
    const begun = new StreamCall(this.#method, this.#port, call, request)
    begun.begin()
    return begun
  }
}
