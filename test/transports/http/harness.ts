import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import type { Route } from '../../../src/rpc/routes.ts'
import { HttpServer, type HttpServerOptions } from '../../../src/transports/http/server.ts'
import type { Harness } from '../grpc/harness.ts'

/** Only the HTTP port, with routes of the test; the real application authenticates callers. */
export async function startHttp(harness: Harness, routes: readonly Route[], more: Partial<HttpServerOptions> = {}) {
  const { pipeline, state } = await harness.startServer(routes, { reflection: false })
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const server = new HttpServer({
    listen: { host: '127.0.0.1', port: 0 },
    urlAt: (port) => `http://127.0.0.1:${port}`,
    capabilities: {
      issuer: 'http://127.0.0.1:50051',
      oauth: true,
      assertionAlgorithms: ['ES256'],
      signingAlgorithms: ['ES256'],
      clientCertificates: 'none',
      clientCa: false,
    },
    metrics: null,
    allowedOrigins: [],
    tls: null,
    pipeline,
    state,
    log,
    newRayId: () => 'fresh-ray-id',
    helpBase: 'http://127.0.0.1/docs/errors',
    ...more,
  })
  const { port } = await server.start()
  onTestFinished(() => server.stop(0))
  return { server, state, lines, port, url: `http://127.0.0.1:${port}` }
}
