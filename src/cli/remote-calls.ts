import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Client, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { formatAddress } from '../config/address.ts'
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema } from '../gen/google/rpc/error_details_pb.ts'
import { StatusSchema } from '../gen/google/rpc/status_pb.ts'
import { TokenService } from '../gen/qscope/v1/token_service_pb.ts'
import { type AnyMethod, accessOf, withClient } from './call-access.ts'
import { type CallCredentials, CallFailure, type Calls, type Refusal } from './calls.ts'
import { type WayToServer, whyUnreachable } from './channel.ts'
import { UsageError } from './usage-error.ts'

const DEADLINE_MS = 30_000
const DETAILS = 'grpc-status-details-bin'

/** Calls a server over gRPC. */
export function openRemoteCalls(way: WayToServer, proof: CallCredentials): Calls {
  const { address, channel, options } = way
  const server = formatAddress(address)
  const client = new Client(server, channel, options)
  const minted = new Map<string, Promise<string>>()

  const send = <Input extends AnyMethod['input'], Output extends AnyMethod['output']>(
    method: AnyMethod<Input, Output>,
    request: MessageInitShape<Input>,
    bearer: string | null,
  ) => {
    const metadata = new Metadata()
    if (bearer !== null) metadata.set('authorization', `Bearer ${bearer}`)
    return new Promise<ReturnType<typeof fromBinary<Output>>>((resolve, reject) => {
      client.makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: ReturnType<typeof create<Input>>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, request),
        metadata,
        { deadline: Date.now() + DEADLINE_MS },
        (error, answer) => {
          if (error !== null) refusalOf(error, way).then((refusal) => reject(new CallFailure(refusal)), reject)
          else if (answer !== undefined) resolve(answer)
        },
      )
    })
  }

  /** A management call by a client: a short token with just that permission. */
  const mint = (permission: string): Promise<string> => {
    const known = minted.get(permission)
    if (known !== undefined) return known
    const request = withClient(
      TokenService.method.mintToken,
      { scopes: [permission], lifetime: { seconds: 60n } },
      proof,
    )
    const fresh = send(TokenService.method.mintToken, request, null).then((answer) => answer.token?.accessToken ?? '')
    minted.set(permission, fresh)
    return fresh
  }

  return {
    provesClient: proof.client !== null && proof.bearer === null,
    call: async (method, request) => {
      const access = accessOf(method)
      if (proof.bearer !== null && access.permission !== '') return await send(method, request, proof.bearer)
      if (proof.client === null) {
        throw new UsageError(
          access.clientAuthentication
            ? 'this call proves a client: give --client-id and --client-secret'
            : `this call needs the permission ${access.permission}: give --token, or --client-id and --client-secret`,
        )
      }
      if (access.clientAuthentication) return await send(method, withClient(method, request, proof), null)
      return await send(method, request, await mint(access.permission))
    },
    close: async () => client.close(),
  }
}

async function refusalOf(error: ServiceError, way: WayToServer): Promise<Refusal> {
  const [raw] = error.metadata?.get(DETAILS) ?? []
  const bytes = Buffer.isBuffer(raw) ? raw : Buffer.alloc(0)
  const details = bytes.length === 0 ? [] : fromBinary(StatusSchema, bytes).details
  const detail = <T>(read: (any: (typeof details)[number]) => T | undefined): T | undefined => {
    for (const any of details) {
      const found = read(any)
      if (found !== undefined) return found
    }
    return undefined
  }
  const info = detail((any) => anyUnpack(any, ErrorInfoSchema))
  const [rayId] = error.metadata?.get('x-ray-id') ?? []
  return {
    reason: info?.reason ?? null,
    status: status[error.code] ?? String(error.code),
    description:
      info === undefined && error.code === status.UNAVAILABLE
        ? ((await whyUnreachable(way)) ?? `no server answers at ${formatAddress(way.address)}: ${error.details}`)
        : error.details,
    violations: detail((any) => anyUnpack(any, BadRequestSchema))?.fieldViolations ?? [],
    metadata: info?.metadata ?? {},
    rayId: detail((any) => anyUnpack(any, RequestInfoSchema))?.requestId ?? (typeof rayId === 'string' ? rayId : null),
  }
}
