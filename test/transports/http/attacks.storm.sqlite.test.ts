import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { success } from '../../../src/results.ts'
import { IncomingMessages } from '../../../src/rpc/incoming-messages.ts'
import { scaled } from '../../setup/scale.ts'
import { openHarness, tokenRoutes } from '../grpc/harness.ts'
import { startApplication } from './application.ts'
import { startHttp } from './harness.ts'

const harness = await openHarness()

const server = await startApplication({ QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off' })
const port = Number(new URL(server.httpUrl).port)
const MINT = '/qscope.v1.TokenService/MintToken'

async function dial(to = port): Promise<Socket> {
  const socket = connect(to, '127.0.0.1')
  // Writing to a connection that the server has closed causes an error; only the answer matters.
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Sends raw bytes, and reads until the server closes the connection. */
async function send(bytes: string | Uint8Array, to = port): Promise<string> {
  const socket = await dial(to)
  socket.write(bytes)
  return await text(socket).catch(() => '')
}

const head = (lines: readonly string[], first = `POST ${MINT} HTTP/1.1`) =>
  [first, 'host: localhost', 'connection: close', ...lines, '', ''].join('\r\n')

/** The status of an answer, or 0 if there is none. */
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)

describe('an invalid HTTP request', () => {
  it.each([
    ['noise', '\x00\x01\x02\xff\r\n\r\n', 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a method that does not exist', 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n', 400],
    ['no host', `POST ${MINT} HTTP/1.1\r\nconnection: close\r\n\r\n`, 400],
    ['an invalid host', head([]).replace('localhost', 'a b'), 400],
    ['two lengths', head(['content-type: application/json', 'content-length: 2', 'content-length: 3']), 400],
    ['a length and chunks', head(['content-length: 2', 'transfer-encoding: chunked']), 400],
    ['a broken chunk', `${head(['content-type: application/json', 'transfer-encoding: chunked'])}zz\r\n{}\r\n`, 400],
    ['a folded header', head(['x-long: a', ' b']), 400],
    ['headers without end', head([`x-large: ${'x'.repeat(20_000)}`]), 431],
    ['a long path', head([], `GET /${'x'.repeat(20_000)} HTTP/1.1`), 431],
    ['a length beyond the limit', head(['content-type: application/json', 'content-length: 99999999999']), 429],
    [
      'compression',
      `${head(['content-type: application/json', 'content-encoding: gzip', 'content-length: 2'])}{}`,
      501,
    ],
    ['a tunnel', 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n', 0],
  ])('is refused: %s', async (_what, bytes, status) => {
    expect(statusOf(await send(bytes))).toBe(status)
  })
})

describe('a slow caller', () => {
  const limits = { headersTimeoutMs: 200, requestTimeoutMs: 400, timeoutCheckMs: 50 }

  it.each([
    ['sends nothing', ''],
    ['does not end the headers', `POST ${MINT} HTTP/1.1\r\nhost: localhost\r\n`],
    ['does not end the body', `${head(['content-type: application/json', 'content-length: 20'])}{"client":`],
  ])('is disconnected if it %s', async (_what, bytes) => {
    const slow = await startHttp(harness, tokenRoutes({ mintToken: async () => success({}) }), { limits })
    const answer = await send(bytes, slow.port)
    expect(answer).toMatch(/^(HTTP\/1\.1 408 |$)/)
    expect((await fetch(`${slow.url}/healthz`)).status).toBe(200)
  })

  it('is one of at most maxConnections', async () => {
    const narrow = await startHttp(harness, tokenRoutes(), { limits: { maxConnections: 3 } })
    const held = await Promise.all([dial(narrow.port), dial(narrow.port), dial(narrow.port)])
    const surplus = await dial(narrow.port)
    surplus.resume()
    await once(surplus, 'close')
    for (const socket of held) socket.destroy()
    await expect
      .poll(
        async () =>
          await fetch(`${narrow.url}/healthz`).then(
            ({ status }) => status,
            () => 0,
          ),
      )
      .toBe(200)
  })
})

describe('a body', () => {
  it('that does not arrive in time is refused, and its reserved bytes are released', async () => {
    const incoming = new IncomingMessages(1_000, { arrivalMs: 500 })
    const { port: own } = await startHttp(harness, tokenRoutes(), { incoming })
    const refused = await send(`${head(['content-type: application/json', 'content-length: 900'])}{`, own)
    expect(statusOf(refused)).toBe(429)
    expect(refused).toContain('resource_exhausted')
    expect(incoming.bytes).toBe(0)
  })

  it('above the size limit is refused before it is complete', async () => {
    const socket = await dial()
    const answer = text(socket)
    socket.write(head(['content-type: application/json', 'transfer-encoding: chunked']))
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    for (let sent = 0; sent < 20; sent += 1) socket.write(chunk)
    expect(statusOf(await answer)).toBe(429)
  })
})

describe('any request', () => {
  const type = fc.constantFrom(
    'application/json',
    'application/proto',
    'application/grpc-web',
    'application/grpc-web+json',
    'application/grpc-web-text',
    'application/connect+json',
    'application/connect+proto',
    'text/plain',
    '',
  )
  const path = fc.oneof(
    fc.constantFrom(...server.app.pipeline.routes.map(({ method }) => `/${method.parent.typeName}/${method.name}`)),
    fc.constantFrom('/healthz', '/readyz', '/.well-known/jwks.json', '/../etc/passwd', '//', '/%'),
    fc.webPath(),
  )
  const envelope = fc
    .tuple(fc.nat(255), fc.nat(64), fc.uint8Array({ maxLength: 64 }))
    .map(([flags, length, rest]) => Buffer.concat([Buffer.from([flags, 0, 0, 0, length]), rest]))
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    envelope,
    fc.json().map((json) => Buffer.from(json)),
    fc
      .constantFrom('{"client":{"clientId":', '{"a":'.repeat(5_000), '['.repeat(50_000))
      .map((broken) => Buffer.from(broken)),
  )
  const header = fc.constantFrom(
    ...['authorization: Basic !', 'authorization: Bearer', 'grpc-timeout: 1x', 'connect-timeout-ms: -1'],
    ...['content-encoding: br', 'connect-protocol-version: 9', 'x-ray-id: <script>', 'traceparent: 0', 'expect: tea'],
    ...['grpc-encoding: gzip', 'connect-content-encoding: zip', 'x-http-method-override: DELETE', 'upgrade: h2c'],
  )
  const method = fc.constantFrom('POST', 'GET', 'HEAD', 'PUT', 'OPTIONS', 'TRACE')
  const request = fc.record({ method, path, type, body, headers: fc.uniqueArray(header, { maxLength: 3 }) })

  it('is answered without an internal error', async () => {
    const property = fc.asyncProperty(request, async (sent) => {
      const lines = [`content-type: ${sent.type}`, `content-length: ${sent.body.byteLength}`, ...sent.headers]
      const start = head(lines, `${sent.method} ${sent.path} HTTP/1.1`)
      const answer = await send(Buffer.concat([Buffer.from(start), sent.body]))
      const status = statusOf(answer)
      expect(status).toBeGreaterThanOrEqual(200)
      // Unsupported compression and a grant that is switched off are `unimplemented` in Connect.
      if (status >= 500) expect([status, answer]).toEqual([501, expect.stringContaining('"code":"unimplemented"')])
    })
    await fc.assert(property, { numRuns: scaled(10_000, 300) })
    expect(server.lines.filter(({ level }) => Number(level) >= 50)).toEqual([])
    expect((await fetch(`${server.httpUrl}/healthz`)).status).toBe(200)
  }, 300_000)
})
