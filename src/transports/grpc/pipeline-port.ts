import type { BatchScheduler } from '../../batching.ts'
import type { Logger } from '../../context.ts'
import { fail } from '../../results.ts'
import type { AnswerEncoder } from '../../rpc/answer-encoding/answer-encoder.ts'
import { CallEnded } from '../../rpc/call-info.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import { toEndedStatus, toGrpcStatus } from './status.ts'
import type { GrpcStatus } from './transport.ts'

/** The services that all calls of the pipeline share. */
export interface PipelinePort {
  readonly pipeline: Pipeline
  readonly answers: AnswerEncoder
  readonly state: ServingState
  readonly scheduler: BatchScheduler
  readonly newRayId: () => string
  /** The address of the error documentation, used for the Help link of each error. */
  readonly helpBase: string | undefined
  readonly log: Logger
}

/**
 * The status for an exception. The pipeline turns errors into answers itself, so an exception here either ended the call or
 * occurred while the answer was sent.
 */
export function statusOfThrown(error: unknown, rayId: string, { log, helpBase }: PipelinePort): GrpcStatus {
  if (error instanceof CallEnded) return toEndedStatus(error)
  log.error({ rayId, err: error }, 'unexpected error while answering')
  return toGrpcStatus(fail('oauth.server_error'), rayId, helpBase)
}
