import type { ServingState } from '../../rpc/serving-state.ts'
import { type Answer, textAnswer } from './exchange/answer.ts'
import type { HttpCallInfo } from './exchange/http-call-info.ts'

/** A document that is fetched with GET. It is not a call. */
export interface Endpoint {
  readonly path: string
  answer(info: HttpCallInfo): Promise<Answer> | Answer
}

/** Reports that the process runs and answers, regardless of the database: a restart because of the database makes an outage worse. */
export class LivenessEndpoint implements Endpoint {
  readonly path = '/healthz'

  answer(): Answer {
    return textAnswer(200, 'ok')
  }
}

/** Reports whether calls should be sent to this process: the same state as SERVING on gRPC. The log has the details of the reason. */
export class ReadinessEndpoint implements Endpoint {
  readonly path = '/readyz'
  readonly #state: ServingState

  constructor(state: ServingState) {
    this.#state = state
  }

  answer(): Answer {
    if (this.#state.serving) return textAnswer(200, 'ok')
    return textAnswer(503, this.#state.draining ? 'draining' : 'the database cannot be used')
  }
}

export type MetricsSource = () => Promise<{ readonly contentType: string; readonly text: string }>

/** The metrics that Prometheus scrapes. */
export class MetricsEndpoint implements Endpoint {
  readonly path = '/metrics'
  readonly #source: MetricsSource

  constructor(source: MetricsSource) {
    this.#source = source
  }

  async answer(): Promise<Answer> {
    const { contentType, text } = await this.#source()
    return { status: 200, contentType, body: text }
  }
}
