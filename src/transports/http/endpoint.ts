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
