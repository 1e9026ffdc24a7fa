import { type DescMethodServerStreaming, type DescMethodUnary, toBinary } from '@bufbuild/protobuf'
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  Server,
  ServerWritableStream,
  sendUnaryData,
} from '@grpc/grpc-js'
import type { BatchScheduler } from '../../batching.ts'
import type { Logger } from '../../context.ts'
import { fail } from '../../results.ts'
import { CallEnded } from '../../rpc/call-info.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { pathOf, type Route } from '../../rpc/routes.ts'
import { abortedCall } from '../../rpc/served-method.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import type { Connections } from './connections.ts'
import { rayIdMetadata, toEndedStatus, toGrpcStatus } from './errors.ts'
import { GrpcCallInfo } from './grpc-call-info.ts'

export interface GrpcAdapterOptions {
  readonly pipeline: Pipeline
  readonly state: ServingState
  readonly connections: Connections
  readonly scheduler: BatchScheduler
  readonly newRayId: () => string
  readonly helpBase: string | undefined
  readonly log: Logger
}

/**
 * Lets the pipeline answer the calls of grpc-js. Messages pass as bytes: the pipeline
 * parses them, so that a broken one gets a status of ours and not INTERNAL.
 */
export class GrpcAdapter {
  readonly #options: GrpcAdapterOptions

  constructor(options: GrpcAdapterOptions) {
    this.#options = options
  }

  serve(server: Server, route: Route): void {
    const path = pathOf(route.method)
    switch (route.kind) {
      case 'unary':
        server.register(path, this.#unary(route.method), same, same, 'unary')
        break
      case 'serverStream':
        server.register(path, this.#serverStream(route.method), same, same, 'serverStream')
        break
      default:
        route satisfies never
    }
  }

  #unary(method: DescMethodUnary): handleUnaryCall<Buffer, Buffer> {
    const { pipeline, state, connections, scheduler, newRayId, helpBase } = this.#options
    /** The calls without an answer; whoever takes one out answers it. */
    const unanswered = new Map<GrpcCallInfo, sendUnaryData<Buffer>>()
    connections.onAbort((session) => {
      for (const [info, callback] of unanswered) {
        if (session !== null && !info.isOn(session)) continue
        unanswered.delete(info)
        info.abort()
        callback(toGrpcStatus(abortedCall(method), info.rayId, helpBase))
      }
    })
    return (call, callback) => {
      const leave = state.enter()
      const info = new GrpcCallInfo(call, connections, newRayId)
      unanswered.set(info, callback)
      scheduler.startTogether(() => {
        pipeline
          .call(method, info, call.request)
          .then((result) => {
            if (!unanswered.delete(info)) return
            info.answered()
            call.sendMetadata(rayIdMetadata(info.rayId))
            if (result.ok) callback(null, asBuffer(toBinary(method.output, result.value)))
            else callback(toGrpcStatus(result, info.rayId, helpBase))
          })
          .catch((error: unknown) => {
            // An answer that could not be sent is not to be sent again.
            unanswered.delete(info)
            if (!info.isAborted) callback(this.#statusOfThrown(error, info))
          })
          .finally(leave)
      })
    }
  }

  #serverStream(method: DescMethodServerStreaming): handleServerStreamingCall<Buffer, Buffer> {
    const { state, connections, newRayId, helpBase } = this.#options
    /** The streams without an end; whoever takes one out ends it. */
    const open = new Map<GrpcCallInfo, ServerWritableStream<Buffer, Buffer>>()
    connections.onAbort((session) => {
      for (const [info, call] of open) {
        if (session !== null && !info.isOn(session)) continue
        open.delete(info)
        info.abort()
        call.emit('error', toGrpcStatus(abortedCall(method), info.rayId, helpBase))
      }
    })
    return (call) => {
      const leave = state.enter()
      const info = new GrpcCallInfo(call, connections, newRayId)
      call.sendMetadata(rayIdMetadata(info.rayId))
      open.set(info, call)
      this.#sendItems(method, call, info, open)
        .catch((error: unknown) => {
          if (!info.isAborted) call.emit('error', this.#statusOfThrown(error, info))
        })
        .finally(() => {
          open.delete(info)
          leave()
        })
    }
  }

  async #sendItems(
    method: DescMethodServerStreaming,
    call: ServerWritableStream<Buffer, Buffer>,
    info: GrpcCallInfo,
    open: Map<GrpcCallInfo, unknown>,
  ): Promise<void> {
    const { pipeline, helpBase } = this.#options
    for await (const item of pipeline.stream(method, info, call.request)) {
      if (info.isAborted) return
      if (!item.ok) {
        open.delete(info)
        info.answered()
        call.emit('error', toGrpcStatus(item, info.rayId, helpBase))
        return
      }
      if (call.cancelled) return
      if (!call.write(asBuffer(toBinary(method.output, item.value)))) await writable(call)
    }
    if (!open.delete(info)) return
    info.answered()
    call.end()
  }

  /** The pipeline turns errors into answers itself; what arrives here happened on the way out. */
  #statusOfThrown(error: unknown, info: GrpcCallInfo) {
    if (error instanceof CallEnded) return toEndedStatus(error)
    this.#options.log.error({ rayId: info.rayId, err: error }, 'unexpected error while answering')
    return toGrpcStatus(fail('oauth.server_error'), info.rayId, this.#options.helpBase)
  }
}

/** Resolves when the caller has read enough, or is gone. */
function writable(call: ServerWritableStream<Buffer, Buffer>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done)
      call.off('cancelled', done)
      resolve()
    }
    call.once('drain', done)
    call.once('cancelled', done)
    if (call.cancelled) done()
  })
}

function same(message: Buffer): Buffer {
  return message
}

/** A view, not a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
