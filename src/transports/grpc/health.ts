import { create } from '@bufbuild/protobuf'
import {
  type Server,
  type ServerErrorResponse,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
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
import { rayIdMetadata, toGrpcStatus } from './errors.ts'
import { addressOf, rayIdFrom } from './grpc-call-info.ts'
import { StreamQuota, type SystemServiceOptions, serveSystemMethod } from './system-service.ts'

/** The whole server, in the words of the health protocol. */
const OVERALL = ''

/** Load balancers and clients watch, some of them many instances of a client behind one address. */
const WATCHES = Object.freeze({ perPeer: 1_000, total: 10_000 })

/**
 * `grpc.health.v1`: for the server and for each service by name. They share one
 * database, so they share one state. Anyone may ask.
 */
export class HealthService {
  readonly #names: ReadonlySet<string>
  readonly #options: SystemServiceOptions
  readonly #watches = new StreamQuota('watches of its health', WATCHES)

  constructor(serviceNames: readonly string[], options: SystemServiceOptions) {
    this.#names = new Set([OVERALL, ...serviceNames])
    this.#options = options
  }

  register(server: Server): void {
    serveSystemMethod(server, Health.method.check, 'unary', this.check.bind(this))
    serveSystemMethod(server, Health.method.list, 'unary', this.list.bind(this))
    serveSystemMethod(server, Health.method.watch, 'serverStream', this.watch.bind(this))
  }

  check(
    call: ServerUnaryCall<Result<HealthCheckRequest>, HealthCheckResponse>,
    callback: sendUnaryData<HealthCheckResponse>,
  ): void {
    const { newRayId, helpBase } = this.#options
    const rayId = rayIdFrom(call.metadata, newRayId)
    call.sendMetadata(rayIdMetadata(rayId))
    if (!call.request.ok) callback(toGrpcStatus(call.request, rayId, helpBase))
    else if (this.#names.has(call.request.value.service)) callback(null, this.#current())
    else
      callback({ code: status.NOT_FOUND, details: 'There is no such service.' } satisfies Partial<ServerErrorResponse>)
  }

  list(
    call: ServerUnaryCall<Result<HealthListRequest>, HealthListResponse>,
    callback: sendUnaryData<HealthListResponse>,
  ): void {
    const { newRayId, helpBase } = this.#options
    const rayId = rayIdFrom(call.metadata, newRayId)
    call.sendMetadata(rayIdMetadata(rayId))
    if (!call.request.ok) {
      callback(toGrpcStatus(call.request, rayId, helpBase))
      return
    }
    const statuses = Object.fromEntries([...this.#names].map((name) => [name, this.#current()]))
    callback(null, create(HealthListResponseSchema, { statuses }))
  }

  watch(call: ServerWritableStream<Result<HealthCheckRequest>, HealthCheckResponse>): void {
    const { state, connections, newRayId, helpBase } = this.#options
    const rayId = rayIdFrom(call.metadata, newRayId)
    const refuse = (failed: FailedResult) => call.emit('error', toGrpcStatus(failed, rayId, helpBase))
    if (!call.request.ok) {
      refuse(call.request)
      return
    }
    const opened = this.#watches.open(addressOf(call.getPeer()))
    if (!opened.ok) {
      refuse(opened)
      return
    }
    call.sendMetadata(rayIdMetadata(rayId))
    const known = this.#names.has(call.request.value.service)
    const send = () => {
      call.write(known ? this.#current() : create(HealthCheckResponseSchema, { status: Serving.SERVICE_UNKNOWN }))
    }
    const connectionEnds = connections.endSignalOf(call)
    const end = () => call.end()
    const unsubscribe = state.onChange(() => {
      if (known) send()
      if (state.draining) end()
    })
    connectionEnds.addEventListener('abort', end)
    call.on('cancelled', () => {
      unsubscribe()
      connectionEnds.removeEventListener('abort', end)
      opened.value()
    })
    send()
    if (state.draining || connectionEnds.aborted) end()
  }

  #current(): HealthCheckResponse {
    const { serving } = this.#options.state
    return create(HealthCheckResponseSchema, { status: serving ? Serving.SERVING : Serving.NOT_SERVING })
  }
}
