import { type ClientHttp2Session, connect } from 'node:http2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Echo, startEcho } from './peer.ts'

let echo: Echo
let client: ClientHttp2Session
beforeAll(async () => {
  echo = await startEcho()
  // The requests in flight may exceed the 10 MB that Node.js allows its clients.
  client = connect(`http://127.0.0.1:${echo.port}`, { maxSessionMemory: 100 })
})
afterAll(async () => {
  client.close()
  await echo.stop()
})

/** Sends a request with the client of Node.js, and returns the answer. */
function ask(path: string, content: Buffer | string = '') {
  return new Promise<{ status: number; content: string; trailers: object }>((resolve, reject) => {
    const stream = client.request({ ':method': 'POST', ':path': path, 'x-secret': 's' }, { endStream: false })
    const chunks: Buffer[] = []
    let [status, trailers] = [0, {}]
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0
    })
    stream.on('trailers', (headers) => {
      trailers = { ...headers }
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve({ status, trailers, content: Buffer.concat(chunks).toString('latin1') }))
    stream.on('error', reject)
    stream.end(content)
  })
}

describe('the client of Node.js', () => {
  it('is answered with headers, content and trailers', async () => {
    expect(await ask('/a', 'hello')).toMatchObject({ status: 200, trailers: { 'answer-is': 'complete' } })
    expect((await ask('/a', 'hello')).content).toMatch(/^\d+ \/a hello$/)
  })

  it('can send and receive 1 MB each in 20 parallel requests', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => ask(`/large-${at}`, Buffer.alloc(1_000_000, 'a'.charCodeAt(0) + at))),
    )
    for (const [at, { content }] of answers.entries()) {
      expect(content.length).toBe(content.indexOf(' /') + `/large-${at} `.length + 1 + 1_000_000)
      expect(new Set(content.slice(-1_000_000))).toEqual(new Set([String.fromCharCode('a'.charCodeAt(0) + at)]))
    }
  })

  it('can send 1,000 parallel requests', async () => {
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, at) => ask(`/${at}`, String(at))))
    expect(answers.map(({ content }) => content.replace(/^\d+ /, ''))).toEqual(
      Array.from({ length: 1_000 }, (_, at) => `/${at} ${at}`),
    )
  })

  it('can cancel a request', async () => {
    const stream = client.request({ ':path': '/never' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    stream.close(8)
    await ask('/after')
    expect(echo.application.call('/never').events).toEqual(['request, complete', 'aborted 8'])
  })

  it('can disable its dynamic table and set a small window', async () => {
    const other = connect(`http://127.0.0.1:${echo.port}`, { settings: { headerTableSize: 0, initialWindowSize: 10 } })
    const stream = other.request({ ':path': '/send/1000' })
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks)).toHaveLength(1_000)
    other.close()
  })
})
