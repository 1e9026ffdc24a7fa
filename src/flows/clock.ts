import { fail, HOLDS, RETRY_AFTER_MS } from '../results.ts'
import { condition } from './condition.ts'

/**
 * What an instance would issue whose clock is off could outlive the keys that tell of
 * its end: they are kept by the database's clock. Evaluated before every flow that issues.
 */
export const clockIsRight = condition<object>('clockIsRight', ({ services }) => {
  const isRight = services.clock.isRight()
  return typeof isRight === 'boolean' ? evaluate(isRight) : isRight.then(evaluate)
})

function evaluate(isRight: boolean) {
  return isRight ? HOLDS : fail('oauth.temporarily_unavailable', { because: 'clock', retryAfterMs: RETRY_AFTER_MS })
}
