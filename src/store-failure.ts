import type { CallContext } from './context.ts'
import { jitter } from './crypto/random.ts'
import { type FailedResult, fail, RETRY_AFTER_MS } from './results.ts'
import { StoreError } from './stores/contract/errors.ts'

/**
 * The one place where a database's failure becomes a registered answer; whatever
 * else was thrown is thrown on. `isSafeToRepeat`: the work may be done again although
 * it may have been done already, as what only adds rows may: nobody holds the first.
 */
export function refusalForStoreError(
  error: unknown,
  ctx: Pick<CallContext, 'log' | 'rayId'>,
  isSafeToRepeat: boolean,
): FailedResult {
  if (!(error instanceof StoreError)) throw error
  ctx.log.warn({ rayId: ctx.rayId, fault: error.fault, err: error }, error.message)
  switch (error.fault) {
    case 'contended':
      return contended()
    case 'unavailable':
      return fail('oauth.temporarily_unavailable', { retryAfterMs: retryDelay() })
    case 'outcome_unknown':
      return isSafeToRepeat ? outcomeUnknownSafely() : outcomeUnknown()
    case 'broken':
      return fail('oauth.server_error')
    default:
      return error.fault satisfies never
  }
}

/** For calls that kept losing to others. */
export function contended(): FailedResult {
  return fail('resource.conflict', { retryAfterMs: retryDelay(), because: 'contended' })
}

/** For calls that must not be made again before it is known what became of them. */
export function outcomeUnknown(): FailedResult {
  return fail('resource.outcome_unknown', { metadata: { safe_to_retry: 'false' }, because: 'false' })
}

/** For calls that may be made again as they are. */
export function outcomeUnknownSafely(): FailedResult {
  return fail('resource.outcome_unknown', {
    metadata: { safe_to_retry: 'true' },
    retryAfterMs: retryDelay(),
    because: 'true',
  })
}

/** Spread out, so that callers do not come back together. */
function retryDelay(): number {
  return Math.round(RETRY_AFTER_MS * (0.5 + jitter()))
}
