import { Metadata } from '@grpc/grpc-js'
import { RAY_ID_KEY } from '../../rpc/trace-context.ts'
import type { GrpcStatus } from '../grpc/transport.ts'

const ACCEPT_ENCODING = 'grpc-accept-encoding'
/** grpc-js would also list deflate, which QScope refuses. */
const ENCODINGS = 'identity,gzip'

/** The initial metadata, sent before the first message. */
export function initialMetadata(rayId: string): Metadata {
  const metadata = rayIdMetadata(rayId)
  metadata.set(ACCEPT_ENCODING, ENCODINGS)
  return metadata
}

/** The end of a call in the form that grpc-js accepts. */
export function toStatusObject({ code, message, details, rayId }: GrpcStatus) {
  const metadata = rayId === null ? new Metadata() : rayIdMetadata(rayId)
  if (details !== null) metadata.set('grpc-status-details-bin', asBuffer(details))
  return { code, details: message, metadata }
}

/** The headers that grpc-js sends when a call ends before anything else was sent. */
export function trailersOnly(status: GrpcStatus) {
  const { code, details, metadata } = toStatusObject(status)
  return {
    ':status': 200,
    'content-type': 'application/grpc+proto',
    [ACCEPT_ENCODING]: ENCODINGS,
    'grpc-status': String(code),
    'grpc-message': encodeURI(details),
    ...metadata.toHttp2Headers(),
  }
}

/** A view, not a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function rayIdMetadata(rayId: string): Metadata {
  const metadata = new Metadata()
  metadata.set(RAY_ID_KEY, rayId)
  return metadata
}
