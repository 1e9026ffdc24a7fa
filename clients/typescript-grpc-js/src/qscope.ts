import { readFileSync } from 'node:fs'
import { credentials } from '@grpc/grpc-js'
import type { Channel, ClientProof } from '@qscope/client'
import { grpcJsChannel } from '@qscope/client/grpc-js'

/** Where QScope is, and who this program is to it. */
export interface QScope {
  readonly channel: Channel & { close(): void }
  readonly client: ClientProof
}

/** TLS unless `QSCOPE_PLAINTEXT=1` asks for plaintext, wherever the server is. */
export function openQScope(env: NodeJS.ProcessEnv): QScope {
  const { QSCOPE_ADDRESS = '127.0.0.1:50051', QSCOPE_CLIENT_ID = '', QSCOPE_CLIENT_SECRET, QSCOPE_CA_FILE } = env
  const allowPlaintext = env['QSCOPE_PLAINTEXT'] === '1'
  const secure = credentials.createSsl(QSCOPE_CA_FILE === undefined ? null : readFileSync(QSCOPE_CA_FILE))
  const channel = grpcJsChannel(QSCOPE_ADDRESS, {
    credentials: allowPlaintext ? credentials.createInsecure() : secure,
    allowPlaintext,
  })
  const proof = QSCOPE_CLIENT_SECRET === undefined ? {} : { clientSecret: QSCOPE_CLIENT_SECRET }
  return { channel, client: { clientId: QSCOPE_CLIENT_ID, ...proof } }
}
