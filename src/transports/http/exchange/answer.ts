import type { ServerResponse } from 'node:http'

/** The answer to a request that Connect does not answer. */
export interface Answer {
  readonly status: number
  /** `null`: there is no body. */
  readonly contentType: string | null
  readonly body: string | Uint8Array
  /** `no-store` if not given. */
  readonly cacheControl?: string
  /** In whole seconds. */
  readonly retryAfter?: number
  /** Additional headers. */
  readonly headers?: Readonly<Record<string, string>>
}

export function textAnswer(status: number, text: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${text}\n` }
}

export function jsonAnswer(status: number, body: object): Answer {
  return { status, contentType: 'application/json', body: JSON.stringify(body) }
}

export function sendAnswer(response: ServerResponse, answer: Answer): void {
  const { status, contentType, body, cacheControl, retryAfter, headers = {} } = answer
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (cacheControl !== undefined) response.setHeader('cache-control', cacheControl)
  if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
  if (contentType !== null) response.setHeader('content-type', contentType)
  response.writeHead(status, { 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
