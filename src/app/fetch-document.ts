import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'

const TIMEOUT_MS = 5_000

export interface FetchOptions {
  /** Certificates in PEM; `null`: those that the machine trusts. */
  readonly ca: string | null
  readonly maxBytes: number
}

/** Fetches a small text. Follows no redirects, waits for no more than 5 s, reads no more than `maxBytes`; throws otherwise. */
export async function fetchDocument(url: string, { ca, maxBytes }: FetchOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const options = { agent: false, headers: { accept: 'application/json' }, signal } as const
  const request = url.startsWith('https:')
    ? requestTls(url, { ...options, ...(ca !== null && { ca }) })
    : requestPlain(url, options)
  // An error that nobody hears would end the process, and a host may cause more than one.
  request.on('error', reject).once('response', (response) => {
    const give = (error: Error) => {
      request.destroy()
      reject(error)
    }
    response.on('error', reject)
    if (response.statusCode !== 200) return give(new Error(`${url} answers ${response.statusCode}`))
    const chunks: Buffer[] = []
    let size = 0
    response
      .on('data', (chunk: Buffer) => {
        size += chunk.byteLength
        if (size > maxBytes) give(new Error(`${url} answers with more than ${maxBytes} bytes`))
        else chunks.push(chunk)
      })
      .once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
  })
  request.end()
  return await promise
}
