import { create } from '@bufbuild/protobuf'
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Server,
  type ServerErrorResponse,
  status,
} from '@grpc/grpc-js'
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  type HealthListRequest,
  type HealthListResponse,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../gen/grpc/health/v1/health_pb.ts'
import type { FailedResult, Result } from '../../results.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import type { Connections } from './connections.ts'
import { rayIdMetadata, toGrpcStatus } from './errors.ts'
import { addressOf, rayIdFrom } from './grpc-call-info.ts'
import { OpenStreams } from './open-streams.ts'
import { type SystemServiceOptions, serveSystemMethod } from './system-service.ts'

/** The whole server, in the words of the health protocol. */
const OVERALL = ''

/** Load balancers and clients watch, some of them many instances of a client behind one address. */
const WATCHES = Object.freeze({ perPeer: 1_000, inAll: 10_000 })

/**
 * `grpc.health.v1`: for the server and for each service by name. They share one
 * database, so they share one state. Anyone may ask.
 */
export function serveHealth(
  server: Server,
  serviceNames: readonly string[],
  state: ServingState,
  connections: Connections,
  { newRayId, helpBase }: SystemServiceOptions,
): void {
  const names: ReadonlySet<string> = new Set([OVERALL, ...serviceNames])

  function current(): HealthCheckResponse {
    return create(HealthCheckResponseSchema, { status: state.serving ? Serving.SERVING : Serving.NOT_SERVING })
  }

  const watches = new OpenStreams('watches of its health', WATCHES)

  const check: handleUnaryCall<Result<HealthCheckRequest>, HealthCheckResponse> = (call, callback) => {
    const rayId = rayIdFrom(call.metadata, newRayId)
    call.sendMetadata(rayIdMetadata(rayId))
    if (!call.request.ok) callback(toGrpcStatus(call.request, rayId, helpBase))
    else if (names.has(call.request.value.service)) callback(null, current())
    else
      callback({ code: status.NOT_FOUND, details: 'There is no such service.' } satisfies Partial<ServerErrorResponse>)
  }

  const list: handleUnaryCall<Result<HealthListRequest>, HealthListResponse> = (call, callback) => {
    const rayId = rayIdFrom(call.metadata, newRayId)
    call.sendMetadata(rayIdMetadata(rayId))
    if (!call.request.ok) return callback(toGrpcStatus(call.request, rayId, helpBase))
    const statuses = Object.fromEntries([...names].map((name) => [name, current()]))
    callback(null, create(HealthListResponseSchema, { statuses }))
  }

  const watch: handleServerStreamingCall<Result<HealthCheckRequest>, HealthCheckResponse> = (call) => {
    const rayId = rayIdFrom(call.metadata, newRayId)
    const refuse = (failed: FailedResult) => call.emit('error', toGrpcStatus(failed, rayId, helpBase))
    if (!call.request.ok) {
      refuse(call.request)
      return
    }
    const place = watches.enter(addressOf(call.getPeer()))
    if (!place.ok) {
      refuse(place)
      return
    }
    call.sendMetadata(rayIdMetadata(rayId))
    const known = names.has(call.request.value.service)
    const tell = () => {
      call.write(known ? current() : create(HealthCheckResponseSchema, { status: Serving.SERVICE_UNKNOWN }))
    }
    const connectionEnds = connections.endOf(call)
    const end = () => call.end()
    const stopTelling = state.onChange(() => {
      if (known) tell()
      if (state.draining) end()
    })
    connectionEnds.addEventListener('abort', end)
    call.on('cancelled', () => {
      stopTelling()
      connectionEnds.removeEventListener('abort', end)
      place.value()
    })
    tell()
    if (state.draining || connectionEnds.aborted) end()
  }

  serveSystemMethod(server, Health.method.check, 'unary', check)
  serveSystemMethod(server, Health.method.list, 'unary', list)
  serveSystemMethod(server, Health.method.watch, 'serverStream', watch)
}
