import { ConnectError } from '@connectrpc/connect'
import { afterAll } from 'vitest'
import { sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer, type TestServer } from '../../setup/server.ts'

const JSON_TYPE = Object.freeze({ 'content-type': 'application/json' })

/** The real application with its HTTP port open, for the tests of a file. */
export async function startApplication(variables: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const database = await sqliteFiles.createMigrated()
  const all = { QSCOPE_HTTP_LISTEN: '127.0.0.1:0', ...variables }
  const server = await startServer(database.url, undefined, undefined, all)
  afterAll(async () => {
    await server.stop()
    await database.drop()
  })
  return server
}

/** A call like one of curl. */
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
