import { type DescMethodServerStreaming, type DescMethodUnary, toBinary } from '@bufbuild/protobuf'
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  Server,
  ServerWritableStream,
  sendUnaryData,
} from '@grpc/grpc-js'
import { startTogether } from '../../batch-scheduler.ts'
import type { Logger } from '../../logger.ts'
import { fail } from '../../results.ts'
import { CallEnded } from '../../rpc/call-info.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { givenUp } from '../../rpc/retry-advice.ts'
import { pathOf, type Route } from '../../rpc/routes.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import type { Connections } from './connections.ts'
import { rayIdMetadata, toEndedStatus, toGrpcStatus } from './errors.ts'
import { GrpcCallInfo } from './grpc-call-info.ts'

export interface AdapterOptions {
  readonly pipeline: Pipeline
  readonly state: ServingState
  readonly connections: Connections
  readonly newRayId: () => string
  readonly helpBase: string | undefined
  readonly log: Logger
}

/**
 * Lets the pipeline answer a route. Messages pass as bytes: the pipeline parses
 * them, so that a broken one gets a status of ours and not INTERNAL.
 */
export function serveRoute(server: Server, route: Route, options: AdapterOptions): void {
  const path = pathOf(route.method)
  switch (route.kind) {
    case 'unary':
      server.register(path, unaryCall(route.method, options), same, same, 'unary')
      break
    case 'serverStream':
      server.register(path, streamCall(route.method, options), same, same, 'serverStream')
      break
    default:
      route satisfies never
  }
}

function unaryCall(method: DescMethodUnary, options: AdapterOptions): handleUnaryCall<Buffer, Buffer> {
  const { pipeline, state, connections, newRayId, helpBase } = options
  /** Whose callers wait; whoever takes one out of it answers. */
  const waiting = new Map<GrpcCallInfo, sendUnaryData<Buffer>>()
  connections.onGivingUp((session) => {
    for (const [info, callback] of waiting) {
      if (session !== null && !info.isOn(session)) continue
      waiting.delete(info)
      info.giveUp()
      callback(toGrpcStatus(givenUp(method), info.rayId, helpBase))
    }
  })
  return (call, callback) => {
    const leave = state.enter()
    const info = new GrpcCallInfo(call, connections, newRayId)
    waiting.set(info, callback)
    startTogether(() => {
      pipeline
        .call(method, info, call.request)
        .then((result) => {
          if (!waiting.delete(info)) return
          info.answered()
          call.sendMetadata(rayIdMetadata(info.rayId))
          if (result.ok) callback(null, asBuffer(toBinary(method.output, result.value)))
          else callback(toGrpcStatus(result, info.rayId, helpBase))
        })
        .catch((error: unknown) => {
          // What was answered and could not be sent has nobody waiting either.
          waiting.delete(info)
          if (!info.isGivenUp) callback(statusOfThrown(error, info, options))
        })
        .finally(leave)
    })
  }
}

function streamCall(
  method: DescMethodServerStreaming,
  options: AdapterOptions,
): handleServerStreamingCall<Buffer, Buffer> {
  const { pipeline, state, connections, newRayId, helpBase } = options
  const waiting = new Map<GrpcCallInfo, ServerWritableStream<Buffer, Buffer>>()
  connections.onGivingUp((session) => {
    for (const [info, call] of waiting) {
      if (session !== null && !info.isOn(session)) continue
      waiting.delete(info)
      info.giveUp()
      call.emit('error', toGrpcStatus(givenUp(method), info.rayId, helpBase))
    }
  })

  async function send(call: ServerWritableStream<Buffer, Buffer>, info: GrpcCallInfo): Promise<void> {
    for await (const item of pipeline.stream(method, info, call.request)) {
      if (info.isGivenUp) return
      if (!item.ok) {
        waiting.delete(info)
        info.answered()
        call.emit('error', toGrpcStatus(item, info.rayId, helpBase))
        return
      }
      if (call.cancelled) return
      if (!call.write(asBuffer(toBinary(method.output, item.value)))) await writable(call)
    }
    if (!waiting.delete(info)) return
    info.answered()
    call.end()
  }

  return (call) => {
    const leave = state.enter()
    const info = new GrpcCallInfo(call, connections, newRayId)
    call.sendMetadata(rayIdMetadata(info.rayId))
    waiting.set(info, call)
    send(call, info)
      .catch((error: unknown) => {
        if (!info.isGivenUp) call.emit('error', statusOfThrown(error, info, options))
      })
      .finally(() => {
        waiting.delete(info)
        leave()
      })
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

/** The pipeline turns accidents into answers itself; what arrives here happened on the way out. */
function statusOfThrown(error: unknown, info: GrpcCallInfo, { helpBase, log }: AdapterOptions) {
  if (error instanceof CallEnded) return toEndedStatus(error)
  log.error({ rayId: info.rayId, err: error }, 'accident while answering')
  return toGrpcStatus(fail('oauth.server_error'), info.rayId, helpBase)
}

function same(message: Buffer): Buffer {
  return message
}

/** A view, not a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
