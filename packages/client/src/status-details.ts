import { create, type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf'
import { StatusSchema } from './gen/google/rpc/status_pb.ts'

/** Where a gRPC status carries its details. */
export const DETAILS_KEY = 'grpc-status-details-bin'

/** A status as a transport tells it, its details still packed. */
export interface ReceivedStatus {
  /** The number of the gRPC status. */
  readonly code: number
  readonly message: string
  readonly details: readonly PackedDetail[]
  /** From the answer's metadata, where there are no details. */
  readonly rayId: string | null
}

/** A message by its full name. */
interface PackedDetail {
  readonly type: string
  readonly value: Uint8Array
}

/**
 * Reads a `ServiceError` of grpc-js or a `ConnectError` by its shape, so that
 * neither library is needed for the other; `null` for any other error.
 */
export function receivedStatus(error: unknown): ReceivedStatus | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') return null
  const { code } = error
  if ('rawMessage' in error && typeof error.rawMessage === 'string' && 'details' in error) {
    const details = Array.isArray(error.details) ? error.details.filter(isPacked) : []
    return { code, message: error.rawMessage, details, rayId: rayIdIn(error) }
  }
  if ('details' in error && typeof error.details === 'string') {
    return { code, message: error.details, details: grpcDetails(error), rayId: rayIdIn(error) }
  }
  return null
}

/** The first detail of a type. */
export function detailOf<D extends DescMessage>(
  { details }: Pick<ReceivedStatus, 'details'>,
  schema: D,
): MessageShape<D> | undefined {
  const found = details.find(({ type }) => type === schema.typeName)
  return found === undefined ? undefined : decoded(schema, found.value)
}

function grpcDetails(error: object): readonly PackedDetail[] {
  const [encoded] = metadataValues(error, DETAILS_KEY)
  if (!(encoded instanceof Uint8Array)) return []
  const { details } = decoded(StatusSchema, encoded) ?? create(StatusSchema)
  return details.map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1), value }))
}

/** `undefined` for bytes that are no such message: a broken detail must not hide the error that it came with. */
function decoded<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined {
  try {
    return fromBinary(schema, bytes)
  } catch {
    return undefined
  }
}

function rayIdIn(error: object): string | null {
  const [rayId] = metadataValues(error, 'x-ray-id')
  return typeof rayId === 'string' ? rayId : null
}

/** `Metadata` of grpc-js answers with a list, `Headers` with a text or null. */
function metadataValues(error: object, key: string): readonly unknown[] {
  const metadata: unknown = Reflect.get(error, 'metadata')
  if (typeof metadata !== 'object' || metadata === null || !('get' in metadata)) return []
  if (typeof metadata.get !== 'function') return []
  const found: unknown = metadata.get(key)
  return Array.isArray(found) ? found : [found]
}

function isPacked(detail: unknown): detail is PackedDetail {
  return (
    typeof detail === 'object' &&
    detail !== null &&
    'type' in detail &&
    typeof detail.type === 'string' &&
    'value' in detail &&
    detail.value instanceof Uint8Array
  )
}
