import type { ServingState } from '../../rpc/serving-state.ts'
import type { HttpCallInfo } from './http-call-info.ts'

/** A document that is fetched with GET, beside the calls. */
export interface Endpoint {
  readonly path: string
  answer(info: HttpCallInfo): Promise<Answer> | Answer
}

export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** `no-store` if not given. */
  readonly cacheControl?: string
  /** In whole seconds. */
  readonly retryAfter?: number
  /** More of them. */
  readonly headers?: Readonly<Record<string, string>>
}

export function textAnswer(status: number, text: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${text}\n` }
}

/** The process lives and answers, whatever the database does: restarting it for less makes an outage worse. */
export class LivenessEndpoint implements Endpoint {
  readonly path = '/healthz'

  answer(): Answer {
    return textAnswer(200, 'ok')
  }
}

/** Whether calls should be sent here: the same as SERVING on gRPC. The log says more of the reason. */
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

/** What Prometheus scrapes. */
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
