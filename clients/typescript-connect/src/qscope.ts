import { readFileSync } from 'node:fs'
import { type Client, createClient } from '@connectrpc/connect'
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node'
import type { Channel, ClientProof } from '@qscope/client'
import { connectChannel, refusePlaintext } from '@qscope/client/connect'
import { TokenService } from '@qscope/client/gen/qscope/v1/token_service_pb'

/** Where QScope is, and who this program is to it. */
export interface QScope {
  readonly channel: Channel
  /** A generated client, for calls that the package has nothing of its own for. */
  readonly tokens: Client<typeof TokenService>
  readonly session: Http2SessionManager
  readonly client: ClientProof
}

/** TLS unless `QSCOPE_PLAINTEXT=1` asks for plaintext, wherever the server is. */
export function openQScope(env: NodeJS.ProcessEnv): QScope {
  const { QSCOPE_ADDRESS = '127.0.0.1:50051', QSCOPE_CLIENT_ID = '', QSCOPE_CLIENT_SECRET, QSCOPE_CA_FILE } = env
  const allowPlaintext = env['QSCOPE_PLAINTEXT'] === '1'
  const baseUrl = `${allowPlaintext ? 'http' : 'https'}://${QSCOPE_ADDRESS}`
  const ca = QSCOPE_CA_FILE === undefined ? {} : { ca: readFileSync(QSCOPE_CA_FILE) }
  // One connection for all calls, which the program can close.
  const session = new Http2SessionManager(baseUrl, {}, ca)
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: session,
    interceptors: [refusePlaintext({ allowPlaintext })],
  })
  const proof = QSCOPE_CLIENT_SECRET === undefined ? {} : { clientSecret: QSCOPE_CLIENT_SECRET }
  return {
    channel: connectChannel(transport),
    tokens: createClient(TokenService, transport),
    session,
    client: { clientId: QSCOPE_CLIENT_ID, ...proof },
  }
}
