import { createGrpcTransport } from '@connectrpc/connect-node'
import { credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll } from 'vitest'
import type { Channel } from '../../../packages/client/src/channel.ts'
import { connectChannel } from '../../../packages/client/src/connect/channel.ts'
import { grpcJsChannel } from '../../../packages/client/src/grpc-js/channel.ts'
import { QScopeError } from '../../../packages/client/src/qscope-error.ts'
import { type FreshDatabase, sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer, type TestServer } from '../../setup/server.ts'

/** A real server for the tests of a file. It uses SQLite, since the package does not depend on the database. */
export function givenServer(variables: Readonly<Record<string, string>> = {}, channel = credentials.createInsecure()) {
  let database: FreshDatabase | undefined
  let server: TestServer | undefined
  beforeAll(async () => {
    database = await sqliteFiles.create()
    server = await startServer(database.url, undefined, undefined, variables, channel)
  })
  afterAll(async () => {
    await server?.stop()
    await database?.drop()
  })
  return () => {
    if (server === undefined) throw new Error('the server is not running yet')
    return server
  }
}

/** Both transports to QScope, in plaintext on this machine. */
export const CHANNELS = Object.freeze([
  {
    transport: 'grpc-js',
    open: (address: string) => grpcJsChannel(address, { credentials: credentials.createInsecure() }),
  },
  { transport: 'connect', open: (address: string) => openConnect(address) },
])

export interface OpenChannel extends Channel {
  close(): void
}

function openConnect(address: string): OpenChannel {
  return { ...connectChannel(createGrpcTransport({ baseUrl: `http://${address}` })), close: () => undefined }
}

/** The error of a call that must fail. */
export async function errorOf(call: Promise<unknown>): Promise<QScopeError> {
  try {
    await call
  } catch (error) {
    if (error instanceof QScopeError) return error
    throw error
  }
  throw new Error('the call did not fail')
}
