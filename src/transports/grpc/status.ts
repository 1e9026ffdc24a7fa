import { toBinary } from '@bufbuild/protobuf'
import { Code } from '../../gen/google/rpc/code_pb.ts'
import { StatusSchema } from '../../gen/google/rpc/status_pb.ts'
import type { FailedResult } from '../../results.ts'
import type { CallEnded } from '../../rpc/call-info.ts'
import { toRpcStatus } from '../../rpc/rpc-status.ts'
import type { GrpcStatus } from './transport.ts'

/** The status of a refusal, with its details and the ray id. */
export function toGrpcStatus(failed: FailedResult, rayId: string, helpBase?: string | undefined): GrpcStatus {
  const rpcStatus = toRpcStatus(failed, rayId, helpBase)
  return { code: rpcStatus.code, message: rpcStatus.message, details: toBinary(StatusSchema, rpcStatus), rayId }
}

/** The status of a call that ended before its answer: the transport's own status, without details. */
export function toEndedStatus(ended: CallEnded): GrpcStatus {
  return { code: Code[ended.kind], message: ended.message, details: null, rayId: null }
}
