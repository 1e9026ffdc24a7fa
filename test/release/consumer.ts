/** A service that uses only the published package: `node consumer.js <address> <secret>`. */
export const CONSUMER = `
import { createGrpcTransport } from '@connectrpc/connect-node'
import { credentials } from '@grpc/grpc-js'
import { type Channel, clientCredentials, onlineVerifier, QScopeError, type Reason } from '@qscope/client'
import { connectChannel } from '@qscope/client/connect'
import { TokenService } from '@qscope/client/gen/qscope/v1/token_service_pb'
import { grpcJsChannel } from '@qscope/client/grpc-js'

const [, , address = '', clientSecret = ''] = process.argv
const client = { clientId: 'admin', clientSecret }

async function use(channel: Channel) {
  const { value } = await clientCredentials(channel, { client }).token()
  const verifier = onlineVerifier(channel, { caller: client, audience: null })
  const token = await verifier.verify({ value, certificate: null })
  const guess = clientCredentials(channel, { client: { clientId: 'admin', clientSecret: 'wrong' } })
  const refused: Reason | null = await guess.token().then(
    () => null,
    (error: unknown) => QScopeError.from(error)?.reason ?? null,
  )
  const { maxAge } = await channel.unary(TokenService.method.getJsonWebKeySet, {})
  return { good: token !== null, subject: token?.subject, refused, keysKept: Number(maxAge?.seconds) }
}

const grpcJs = grpcJsChannel(address, { credentials: credentials.createInsecure() })
const connect = connectChannel(createGrpcTransport({ baseUrl: 'http://' + address }))
console.log(JSON.stringify({ 'grpc-js': await use(grpcJs), connect: await use(connect) }))
process.exit()
`
