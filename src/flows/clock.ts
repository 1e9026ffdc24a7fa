import { fail, HOLDS, RETRY_AFTER_MS } from '../results.ts'
import { condition } from './condition.ts'

/**
 * Evaluated before every flow that issues tokens. An instance with a wrong clock could issue tokens that outlive their
 * revocation keys, because those are kept by the database's clock.
 */
export const clockIsRight = condition<object>('clockIsRight', ({ services }) => {
  const isRight = services.clock.isRight()
  return typeof isRight === 'boolean' ? evaluate(isRight) : isRight.then(evaluate)
})

function evaluate(isRight: boolean) {
  return isRight ? HOLDS : fail('oauth.temporarily_unavailable', { because: 'clock', retryAfterMs: RETRY_AFTER_MS })
}
