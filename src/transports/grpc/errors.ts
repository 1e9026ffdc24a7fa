import { toBinary } from '@bufbuild/protobuf'
import { Metadata, status } from '@grpc/grpc-js'
import { StatusSchema } from '../../gen/google/rpc/status_pb.ts'
import type { FailedResult } from '../../results.ts'
import type { CallEnded } from '../../rpc/call-info.ts'
import { toRpcStatus } from '../../rpc/rpc-status.ts'
import { RAY_ID_KEY } from '../../rpc/trace-context.ts'

/** What grpc-js sends for a refusal: the status, and the details in the trailers. */
export function toGrpcStatus(failed: FailedResult, rayId: string, helpBase?: string | undefined) {
  const rpcStatus = toRpcStatus(failed, rayId, helpBase)
  const metadata = rayIdMetadata(rayId)
  metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, rpcStatus)))
  return { code: rpcStatus.code, details: rpcStatus.message, metadata }
}

/** What grpc-js sends when the call ended before its answer: the transport's own status, without details. */
export function toEndedStatus(ended: CallEnded) {
  return { code: status[ended.kind], details: ended.message }
}

/** The initial metadata of every answer. */
export function rayIdMetadata(rayId: string): Metadata {
  const metadata = new Metadata()
  metadata.set(RAY_ID_KEY, rayId)
  return metadata
}
