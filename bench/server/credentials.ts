import type { MessageInitShape } from '@bufbuild/protobuf'
import { ClientType, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService, type RegisterClientRequestSchema } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import type { Connection } from '../../test/setup/client.ts'

export interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret: string
}

/** A client's credentials in a message. */
export function clientField({ clientId, clientSecret }: ClientCredentials) {
  return { clientId, method: { case: 'clientSecret' as const, value: clientSecret } }
}

/** A bearer token with every permission, for an hour. */
export async function adminToken(connection: Connection, admin: ClientCredentials): Promise<string> {
  const { token } = await connection.call(TokenService.method.mintToken, { client: clientField(admin) })
  return token?.accessToken ?? ''
}

/** Registers a confidential client, by default for client credentials. */
export async function registerClient(
  connection: Connection,
  bearer: string,
  wanted: MessageInitShape<typeof RegisterClientRequestSchema>,
): Promise<ClientCredentials> {
  const request = { type: ClientType.CONFIDENTIAL, grantTypes: [GrantType.CLIENT_CREDENTIALS], ...wanted }
  const { client, clientSecret } = await connection.call(ClientService.method.registerClient, request, { bearer })
  return { clientId: client?.clientId ?? '', clientSecret }
}
