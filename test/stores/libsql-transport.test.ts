import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { parseLibsqlUrl } from '../../src/domain/libsql-url.ts'
import { HranaTransport } from '../../src/stores/sql/dialects/libsql-remote/transport.ts'

const SETTINGS = { walLimit: 0, poolSize: 1, connectTimeoutMs: 1_000, statementTimeoutMs: 1_000, tls: null }

it('closes a connection that is idle for 4 s, before a server closes it after 5 s', async () => {
  const server = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1')
  // This server closes no connection itself.
  server.keepAliveTimeout = 0
  await once(server, 'listening')
  const url = parseLibsqlUrl(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  if (url === null) throw new Error('no URL of a server')
  const transport = new HranaTransport(url, { ...SETTINGS, authToken: null })
  onTestFinished(() => {
    transport.close()
    server.close()
  })
  const connected = once(server, 'connection')
  await transport.fetch(new Request(url.base))
  const [socket]: Socket[] = await connected
  const idleFrom = performance.now()
  await once(socket ?? server, 'close', { signal: AbortSignal.timeout(5_000) })
  expect(performance.now() - idleFrom).toBeGreaterThan(3_500)
})
