import { randomBytes } from 'node:crypto'
import { AccessTokenFormat, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type Connection, connect, Refused } from '../../test/setup/client.ts'
import { NotAvailable } from '../not-available.ts'
import type { OpenedDataset } from '../seed/dataset.ts'
import { AUDIENCE, SCOPES } from '../seed/token-columns.ts'
import { adminToken, type ClientCredentials, clientField, registerClient } from '../server/credentials.ts'

export const REDIRECT_URI = 'https://app.bench.internal/callback'

/** A running server on a seeded database, with the clients of this run. */
export interface Site {
  readonly port: number
  readonly dataset: OpenedDataset
  readonly connection: Connection
  /** With every permission. */
  readonly bearer: string
  /** Mints opaque tokens. */
  readonly minter: ClientCredentials
  /** Has users, codes and refresh tokens. */
  readonly web: ClientCredentials
  /** Mints JWTs. Throws `NotAvailable` if the server does not support them. */
  jwtMinter(): Promise<ClientCredentials>
  close(): void
}

export async function openSite(port: number, dataset: OpenedDataset): Promise<Site> {
  const connection = connect(`127.0.0.1:${port}`, { ownSocket: true })
  const bearer = await adminToken(connection, dataset.admin)
  const common = { scopes: SCOPES.split(' '), audiences: [AUDIENCE] }
  const named = (role: string) => ({ clientId: `bench-${role}-${randomBytes(6).toString('hex')}`, ...common })
  const minter = await registerClient(connection, bearer, named('minter'))
  const web = await registerClient(connection, bearer, {
    ...named('web'),
    grantTypes: [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN],
    redirectUris: [REDIRECT_URI],
    config: { requirePkce: false },
  })
  let jwtMinter: Promise<ClientCredentials> | null = null
  const registerJwtMinter = async () => {
    try {
      const config = { accessTokenFormat: AccessTokenFormat.JWT }
      const client = await registerClient(connection, bearer, { ...named('jwt'), config })
      const { token } = await connection.call(TokenService.method.mintToken, { client: clientField(client) })
      if (token?.accessToken.split('.').length === 3) return client
      throw new NotAvailable('this server issues no JWTs')
    } catch (error) {
      throw error instanceof Refused ? new NotAvailable(`this server issues no JWTs: ${error.message}`) : error
    }
  }
  return {
    port,
    dataset,
    connection,
    bearer,
    minter,
    web,
    jwtMinter: () => {
      jwtMinter ??= registerJwtMinter()
      return jwtMinter
    },
    close: () => connection.close(),
  }
}
