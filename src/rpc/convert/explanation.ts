import type { Explanation } from '../../flows/explanation.ts'
import { ErrorReason } from '../../gen/qscope/v1/error_reason_pb.ts'
import { Verdict } from '../../gen/qscope/v1/explanation_pb.ts'
import { reasonOf } from '../rpc-status.ts'

const VERDICTS = {
  accepted: Verdict.ACCEPTED,
  refused: Verdict.REFUSED,
  unknown: Verdict.UNKNOWN,
} as const satisfies Record<Explanation['verdict'], Verdict>

export function toVerdict(verdict: Explanation['verdict']): Verdict {
  return VERDICTS[verdict]
}

export function toExplanation({ verdict, checks, refusal }: Explanation) {
  return {
    verdict: toVerdict(verdict),
    checks: [...checks],
    errorReason: refusal === null ? ErrorReason.UNSPECIFIED : ErrorReason[reasonOf(refusal.code)],
  }
}
