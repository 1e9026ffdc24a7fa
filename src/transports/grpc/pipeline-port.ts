import type { BatchScheduler } from '../../batching.ts'
import type { Logger } from '../../context.ts'
import { fail } from '../../results.ts'
import type { AnswerEncoder } from '../../rpc/answer-encoding/answer-encoder.ts'
import { CallEnded } from '../../rpc/call-info.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { ServingState } from '../../rpc/serving-state.ts'
import { toEndedStatus, toGrpcStatus } from './status.ts'
import type { GrpcStatus } from './transport.ts'

/** What the calls of the pipeline share. */
export interface PipelinePort {
  readonly pipeline: Pipeline
  readonly answers: AnswerEncoder
  readonly state: ServingState
  readonly scheduler: BatchScheduler
  readonly newRayId: () => string
  /** Where the errors are documented; becomes the Help link of each. */
  readonly helpBase: string | undefined
  readonly log: Logger
}

/** The pipeline turns errors into answers itself; what arrives here ended the call, or happened on the way out. */
export function statusOfThrown(error: unknown, rayId: string, { log, helpBase }: PipelinePort): GrpcStatus {
  if (error instanceof CallEnded) return toEndedStatus(error)
  log.error({ rayId, err: error }, 'unexpected error while answering')
  return toGrpcStatus(fail('oauth.server_error'), rayId, helpBase)
}
