import { Agent, request } from 'node:https'
import { buffer } from 'node:stream/consumers'

/** What a connection is made with. */
export interface Trust {
  readonly ca: Buffer
  /** Shown to the server. */
  readonly cert?: Buffer
  readonly key?: Buffer
}

/** What libraries ask of a `fetch` of their caller's. */
interface FetchOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** A `fetch` that trusts one CA, and may show a certificate, which the one of Node cannot be told. */
export function trustingFetch(trust: Trust) {
  const agent = new Agent({ ...trust, keepAlive: false })
  return async (url: string | URL, { method = 'GET', headers = {}, body }: FetchOptions = {}): Promise<Response> => {
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    const sent = request(url, { agent, method, headers }, async (answer) => {
      const content = await buffer(answer)
      const received = new Headers()
      for (const [name, values] of Object.entries(answer.headersDistinct)) {
        for (const value of values ?? []) received.append(name, value)
      }
      resolve(
        new Response(content.length === 0 ? null : new Uint8Array(content), {
          status: answer.statusCode ?? 0,
          headers: received,
        }),
      )
    })
    sent.once('error', reject)
    sent.end(body === undefined || body === null ? undefined : String(body))
    return await promise
  }
}
