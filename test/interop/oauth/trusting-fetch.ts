import { Agent, request } from 'node:https'
import { buffer } from 'node:stream/consumers'

/** The CA and the certificate of a connection. */
export interface Trust {
  readonly ca: Buffer
  /** The client certificate. */
  readonly cert?: Buffer
  readonly key?: Buffer
}

/** The options that libraries pass to a custom `fetch`. */
interface FetchOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** A `fetch` with a CA and a client certificate, which the one of Node does not support. */
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
