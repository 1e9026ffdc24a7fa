import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AccessTokenFormat } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../../test/setup/client.ts'
import { adminToken, type ClientCredentials, clientField, registerClient } from '../server/credentials.ts'
import { qscopeEntry } from '../server/qscope-entry.ts'
import { startQScope } from '../server/qscope-server.ts'
import { mustRunQScope } from '../server/run-command.ts'

export const ISSUER = 'https://qscope.internal'
export const AUDIENCE = 'https://warehouse.internal'
const AT_ONCE = 100

/** A server on SQLite, the verifying resource server, and tokens for it. */
export interface GivenServer {
  readonly address: string
  readonly pid: number
  readonly warehouse: ClientCredentials
  /** The client of the opaque tokens. */
  readonly orders: ClientCredentials
  readonly opaque: readonly string[]
  readonly jwts: readonly string[]
  stop(): Promise<void>
}

export async function givenServer(tokens: number, more: Readonly<Record<string, string>> = {}): Promise<GivenServer> {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-bench-verifier-'))
  const entry = qscopeEntry()
  const place = { databaseUrl: `sqlite:${join(directory, 'qscope.db')}`, keyringFile: join(directory, 'keyring.json') }
  const variables = { QSCOPE_DATABASE_URL: place.databaseUrl, QSCOPE_KEYRING_FILE: place.keyringFile }
  await mustRunQScope(entry, ['migrate', 'up'], variables)
  const made = await mustRunQScope(entry, ['client', 'create', '--local', '--admin', '--json'], variables)
  const server = await startQScope({ entry, ...place, workers: 1, variables: { QSCOPE_ISSUER: ISSUER, ...more } })
  const address = `127.0.0.1:${server.port}`
  const connection = connect(address)
  // The command's output.
  const { client, clientSecret } = JSON.parse(made) as { client: { clientId: string }; clientSecret: string }
  const bearer = await adminToken(connection, { clientId: client.clientId, clientSecret })
  const warehouse = await registerClient(connection, bearer, { clientId: 'warehouse', resourceAudiences: [AUDIENCE] })

  const registered = (clientId: string, accessTokenFormat: AccessTokenFormat) => {
    const wanted = { clientId, scopes: ['stock.read'], audiences: [AUDIENCE], config: { accessTokenFormat } }
    return registerClient(connection, bearer, wanted)
  }
  async function minted(by: ClientCredentials): Promise<readonly string[]> {
    const minter = clientField(by)
    const values: string[] = []
    while (values.length < tokens) {
      const request = { client: minter, requests: Array.from({ length: AT_ONCE }, () => ({ audiences: [AUDIENCE] })) }
      const { results } = await connection.call(TokenService.method.batchMintTokens, request)
      for (const { result } of results) if (result.case === 'token') values.push(result.value.accessToken)
    }
    return values
  }

  const orders = await registered('orders', AccessTokenFormat.OPAQUE)
  const opaque = await minted(orders)
  const jwts = await minted(await registered('reports', AccessTokenFormat.JWT))
  connection.close()
  return {
    address,
    pid: server.pid,
    warehouse,
    orders,
    opaque,
    jwts,
    stop: async () => {
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
