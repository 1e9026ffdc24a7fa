import type { ServingState } from '../../../rpc/serving-state.ts'
import { type Endpoint, textAnswer } from '../endpoint.ts'

/** Whether calls should be sent here: the same as SERVING on gRPC. The log says more of the reason. */
export function readinessEndpoint(state: ServingState): Endpoint {
  return {
    path: '/readyz',
    answer: () => {
      if (state.serving) return textAnswer(200, 'ok')
      return textAnswer(503, state.draining ? 'draining' : 'the database cannot be used')
    },
  }
}
