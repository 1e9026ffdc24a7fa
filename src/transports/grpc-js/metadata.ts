import { Metadata } from '@grpc/grpc-js'
import { RAY_ID_KEY } from '../../rpc/trace-context.ts'
import type { GrpcStatus } from '../grpc/transport.ts'

const ACCEPT_ENCODING = 'grpc-accept-encoding'
/** grpc-js would name deflate as well, which is refused. */
const ENCODINGS = 'identity,gzip'

/** What is sent before the first message. */
export function initialMetadata(rayId: string): Metadata {
  const metadata = rayIdMetadata(rayId)
  metadata.set(ACCEPT_ENCODING, ENCODINGS)
  return metadata
}

/** The end of a call, as grpc-js takes it. */
export function toStatusObject({ code, message, details, rayId }: GrpcStatus) {
  const metadata = rayId === null ? new Metadata() : rayIdMetadata(rayId)
  if (details !== null) metadata.set('grpc-status-details-bin', asBuffer(details))
  return { code, details: message, metadata }
}

/** What grpc-js sends for the end of a call before anything else was sent. */
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
