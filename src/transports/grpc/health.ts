import { create } from '@bufbuild/protobuf'
import { Code } from '../../gen/google/rpc/code_pb.ts'
import {
  Health,
  type HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../gen/grpc/health/v1/health_pb.ts'
import { pathOf } from '../../rpc/routes.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import { rayIdFrom } from './call-info.ts'
import { toGrpcStatus } from './status.ts'
import { ANSWERED, StreamQuota, SystemCodec, type SystemServiceOptions } from './system-service.ts'
import type { CallListener, GrpcStatus, SingleRequestMethod, TransportCall } from './transport.ts'

/** The name of the whole server in the health protocol. */
const OVERALL = ''

/** The status that the health protocol requires. It has no reason of QScope. */
const NO_SUCH_SERVICE: GrpcStatus = Object.freeze({
  code: Code.NOT_FOUND,
  message: 'There is no such service.',
  details: null,
  rayId: null,
})

type HealthCodec = SystemCodec<typeof HealthCheckRequestSchema, typeof HealthCheckResponseSchema>

/** Load balancers and clients open watches. Many instances of a client may share one address. */
const WATCHES = Object.freeze({ perPeer: 1_000, total: 10_000 })

/**
 * `grpc.health.v1`, for the server and for each service by name. All services share one database, so they share one state. No
 * authentication is required.
 */
export class HealthService {
  readonly #names: ReadonlySet<string>
  readonly #options: SystemServiceOptions
  readonly #checks = new SystemCodec(Health.method.check)
  readonly #lists = new SystemCodec(Health.method.list)
  readonly #watches = new StreamQuota('health watches', WATCHES)

  constructor(serviceNames: readonly string[], options: SystemServiceOptions) {
    this.#names = new Set([OVERALL, ...serviceNames])
    this.#options = options
  }

  methods(): readonly SingleRequestMethod[] {
    const { check, list, watch } = Health.method
    return [
      { kind: 'unary', path: pathOf(check), keepsDeadline: true, begin: this.check.bind(this) },
      { kind: 'unary', path: pathOf(list), keepsDeadline: true, begin: this.list.bind(this) },
      { kind: 'serverStream', path: pathOf(watch), keepsDeadline: false, begin: this.watch.bind(this) },
    ]
  }

  check(call: TransportCall, bytes: Uint8Array): CallListener {
    const { newRayId, helpBase } = this.#options
    const rayId = rayIdFrom(call, newRayId)
    const request = this.#checks.parse(bytes)
    if (!request.ok) fail(call, rayId, toGrpcStatus(request, rayId, helpBase))
    else if (this.#names.has(request.value.service)) call.answer(rayId, this.#checks.encode(this.#current()))
    else fail(call, rayId, NO_SUCH_SERVICE)
    call.release()
    return ANSWERED
  }

  list(call: TransportCall, bytes: Uint8Array): CallListener {
    const { newRayId, helpBase } = this.#options
    const rayId = rayIdFrom(call, newRayId)
    const request = this.#lists.parse(bytes)
    if (!request.ok) fail(call, rayId, toGrpcStatus(request, rayId, helpBase))
    else {
      const statuses = Object.fromEntries([...this.#names].map((name) => [name, this.#current()]))
      call.answer(rayId, this.#lists.encode(create(HealthListResponseSchema, { statuses })))
    }
    call.release()
    return ANSWERED
  }

  watch(call: TransportCall, bytes: Uint8Array): CallListener {
    const { state, newRayId, helpBase } = this.#options
    const rayId = rayIdFrom(call, newRayId)
    const request = this.#checks.parse(bytes)
    const opened = request.ok ? this.#watches.open(call.peer) : request
    if (!request.ok || !opened.ok) {
      if (!opened.ok) call.fail(toGrpcStatus(opened, rayId, helpBase))
      call.release()
      return ANSWERED
    }
    call.start(rayId)
    return new HealthWatch(call, opened.value, state, this.#checks, this.#names.has(request.value.service))
  }

  #current(): HealthCheckResponse {
    return currentHealth(this.#options.state)
  }
}

/** An open watch. It sends the state at once, and then each change. */
class HealthWatch implements CallListener {
  readonly #call: TransportCall
  readonly #leave: () => void
  readonly #state: ServingState
  readonly #codec: HealthCodec
  readonly #isKnown: boolean
  readonly #unsubscribe: () => void
  #isOpen = true

  /** `leave` frees its place in the quota. `isKnown`: whether the watched service exists. */
  constructor(call: TransportCall, leave: () => void, state: ServingState, codec: HealthCodec, isKnown: boolean) {
    this.#call = call
    this.#leave = leave
    this.#state = state
    this.#codec = codec
    this.#isKnown = isKnown
    this.#unsubscribe = state.onChange(() => {
      if (isKnown) this.#send()
      if (state.draining) this.#end()
    })
    call.connectionEnds.addEventListener('abort', this.#end)
    this.#send()
    if (state.draining || call.connectionEnds.aborted) this.#end()
  }

  cancelled(): void {
    this.#close()
  }

  graceExpired(): void {
    this.#end()
  }

  drained(): void {
    // The state changes seldom, so no write waits for the caller to read.
  }

  #send(): void {
    const health = this.#isKnown
      ? currentHealth(this.#state)
      : create(HealthCheckResponseSchema, { status: Serving.SERVICE_UNKNOWN })
    this.#call.write(this.#codec.encode(health))
  }

  readonly #end = (): void => {
    this.#call.end()
    this.#close()
  }

  #close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#unsubscribe()
    this.#call.connectionEnds.removeEventListener('abort', this.#end)
    this.#leave()
    this.#call.release()
  }
}

function currentHealth({ serving }: ServingState): HealthCheckResponse {
  return create(HealthCheckResponseSchema, { status: serving ? Serving.SERVING : Serving.NOT_SERVING })
}

/** The ray id is sent in the initial metadata, as for every unary call. */
function fail(call: TransportCall, rayId: string, status: GrpcStatus): void {
  call.start(rayId)
  call.fail(status)
}
