import { ConnectError } from '@connectrpc/connect'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import type { Route } from '../../../src/rpc/routes.ts'
import { HttpServer, type HttpServerOptions } from '../../../src/transports/http/server.ts'
import { startServer } from '../grpc/harness.ts'

const JSON_TYPE = Object.freeze({ 'content-type': 'application/json' })

/** The HTTP port alone, in front of routes of the test's own; callers are let in by the real application. */
export async function startHttp(routes: readonly Route[], more: Partial<HttpServerOptions> = {}) {
  const { pipeline, state } = await startServer(routes, { reflection: false })
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const server = new HttpServer({
    listen: { host: '127.0.0.1', port: 0 },
    urlAt: (port) => `http://127.0.0.1:${port}`,
    capabilities: {
      issuer: 'http://127.0.0.1:50051',
      assertionGrant: false,
      assertionAlgorithms: ['ES256'],
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

/** A call as curl would make it. */
export async function post(
  url: string,
  method: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  options: RequestInit = {},
) {
  const response = await fetch(`${url}/qscope.v1.${method}`, {
    method: 'POST',
    headers: { ...JSON_TYPE, ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    ...options,
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: text === '' ? null : parsed(text) }
}

/** The error of a call that must fail. */
export async function connectErrorOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call
  } catch (error) {
    return ConnectError.from(error)
  }
  throw new Error('the call was not refused')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
