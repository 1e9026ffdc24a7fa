import type { DescMethod } from '@bufbuild/protobuf'
import type { AccessRule } from '../auth/authorize-call.ts'
import type { FailedResult } from '../results.ts'
import { outcomeUnknown, outcomeUnknownSafely } from '../store-failure.ts'
import { accessRule } from './access.ts'

/** Whether an unconfirmed change may be asked for again: the method's option knows where the flow does not. */
export function withRetryAdvice(rule: AccessRule, refusal: FailedResult): FailedResult {
  return rule.idempotent && refusal.code === 'resource.outcome_unknown' ? outcomeUnknownSafely() : refusal
}

/** The answer to a call that the server no longer waits for: it may still be carried out. */
export function givenUp(method: DescMethod): FailedResult {
  return withRetryAdvice(accessRule(method), outcomeUnknown())
}
