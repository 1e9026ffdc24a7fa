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
} from '../gen/grpc/health/v1/health_pb.ts'
import type { Connections } from './connections.ts'
import { rayIdFrom, rayIdMetadata } from './metadata.ts'
import type { ServingState } from './serving-state.ts'
import { serveSystemMethod } from './system-service.ts'

/** The whole server, in the words of the health protocol. */
const OVERALL = ''

/**
 * `grpc.health.v1`: for the server and for each service by name. They share one
 * database, so they share one state. Anyone may ask.
 */
export function serveHealth(
  server: Server,
  serviceNames: readonly string[],
  state: ServingState,
  connections: Connections,
  newRayId: () => string,
): void {
  const names: ReadonlySet<string> = new Set([OVERALL, ...serviceNames])

  function current(): HealthCheckResponse {
    return create(HealthCheckResponseSchema, { status: state.serving ? Serving.SERVING : Serving.NOT_SERVING })
  }

  const check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = (call, callback) => {
    call.sendMetadata(rayIdMetadata(rayIdFrom(call.metadata, newRayId)))
    if (names.has(call.request.service)) callback(null, current())
    else
      callback({ code: status.NOT_FOUND, details: 'There is no such service.' } satisfies Partial<ServerErrorResponse>)
  }

  const list: handleUnaryCall<HealthListRequest, HealthListResponse> = (call, callback) => {
    call.sendMetadata(rayIdMetadata(rayIdFrom(call.metadata, newRayId)))
    const statuses = Object.fromEntries([...names].map((name) => [name, current()]))
    callback(null, create(HealthListResponseSchema, { statuses }))
  }

  const watch: handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> = (call) => {
    call.sendMetadata(rayIdMetadata(rayIdFrom(call.metadata, newRayId)))
    const known = names.has(call.request.service)
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
    })
    tell()
    if (state.draining || connectionEnds.aborted) end()
  }

  serveSystemMethod(server, Health.method.check, 'unary', check)
  serveSystemMethod(server, Health.method.list, 'unary', list)
  serveSystemMethod(server, Health.method.watch, 'serverStream', watch)
}
