import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drawKeyMaterial, Keyring } from '../../../src/crypto/keyring.ts'
import { AuthenticationMethod, GrantType } from '../../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import {
  TrustedIssuerKind,
  type TrustedIssuerSchema,
  TrustService,
} from '../../../src/gen/qscope/v1/trust_service_pb.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES, suiteFolder } from '../../setup/certificates.ts'
import { connect, refusalOf } from '../../setup/client.ts'
import { sqliteFiles } from '../../setup/fresh-database.ts'
import { httpsHost } from '../../setup/https-host.ts'
import { startServer } from '../../setup/server.ts'
import { BUILD_MS, cacheFolder, hasToolchain, run } from '../toolchain.ts'

const hasGo = hasToolchain({
  name: 'go',
  suite: 'go-spiffe',
  programs: ['go'],
  version: ['version'],
  atLeast: [1, 25],
})
const SOURCE = join(import.meta.dirname, 'go')
const PROGRAM = join(cacheFolder('spiffe-go'), 'spiffe-interop')
const AUDIENCE = 'http://127.0.0.1:50051'
const ISSUER = 'spiffe://shop.example'
const ORDERS = 'spiffe://shop.example/orders'

interface Shown {
  readonly name: string
  readonly token: string
  readonly accepted: boolean
}

describe.skipIf(!hasGo)('a trust domain with a bundle and SVIDs made by go-spiffe', () => {
  const folder = suiteFolder()
  const made = (name: string) => readFileSync(join(folder, name))
  const authority = certificateAuthority(folder, 'ca')
  const serving = authority.issue('server', LOCAL_NAMES)
  let tokens: readonly Shown[]
  let server: Awaited<ReturnType<typeof startServer>>
  let [grantee, federated] = ['', '']

  beforeAll(async () => {
    await run('go', ['build', '-o', PROGRAM, '.'], { cwd: SOURCE })
    await run(PROGRAM, [folder, AUDIENCE])
    tokens = JSON.parse(made('tokens.json').toString())
    const database = await sqliteFiles.create()
    const variables = {
      QSCOPE_TLS_CERT_FILE: serving.certFile,
      QSCOPE_TLS_KEY_FILE: serving.keyFile,
      QSCOPE_TLS_CLIENT_CA_FILE: join(folder, 'authority.pem'),
      QSCOPE_TRUST_PRIVATE_HOSTS: 'localhost',
    }
    const keyring = new Keyring(drawKeyMaterial())
    server = await startServer(database.url, keyring, undefined, variables, channelOf(authority))
    const host = await httpsHost(serving)
    host.answers.set('/bundle', made('bundle.json').toString())
    const { clientId } = await server.registerClient({
      scopes: ['stock.read'],
      grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER],
    })
    grantee = clientId
    const trustedIssuer: MessageInitShape<typeof TrustedIssuerSchema> = {
      issuer: ISSUER,
      kind: TrustedIssuerKind.SPIFFE,
      trustDomain: 'shop.example',
      keys: { case: 'jwksUri', value: `https://localhost:${host.port}/bundle` },
      caCertificates: authority.cert.toString(),
      rules: [{ claims: { sub: ORDERS }, clientId: grantee, scopes: ['stock.read'] }],
    }
    await server.call(TrustService.method.createTrustedIssuer, { trustedIssuer }, { bearer: server.admin.token })
    const registered = await server.registerClient({
      scopes: ['stock.read'],
      authenticationMethod: AuthenticationMethod.FEDERATED_JWT,
      federatedIdentities: [{ issuer: ISSUER, subject: ORDERS }],
    })
    federated = registered.clientId
    afterAll(async () => {
      await server.stop()
      await database.drop()
    })
  }, BUILD_MS)

  /** The names of the tokens that a use of them accepts. */
  async function acceptedBy(use: (token: string) => Promise<unknown>, reason: string): Promise<readonly string[]> {
    const names: string[] = []
    for (const { name, token } of tokens) {
      const answer = await use(token).then(
        () => null,
        async (error: unknown) => (await refusalOf(Promise.reject(error))).reason,
      )
      if (answer === null) names.push(name)
      else expect([name, answer]).toEqual([name, reason])
    }
    return names
  }
  const byGoSpiffe = () => tokens.filter(({ accepted }) => accepted).map(({ name }) => name)

  it('exchanges only the JWT-SVIDs that go-spiffe accepts', async () => {
    const exchange = (assertion: string) => server.call(TokenService.method.exchangeAssertion, { assertion })
    expect(await acceptedBy(exchange, 'OAUTH_INVALID_GRANT')).toEqual(byGoSpiffe())
    expect(byGoSpiffe().length).toBeGreaterThan(3)
    expect(byGoSpiffe().length).toBeLessThan(tokens.length)
  })

  it('authenticates a client only by the JWT-SVIDs that go-spiffe accepts', async () => {
    const mint = (value: string) =>
      server.call(TokenService.method.mintToken, {
        client: { clientId: federated, method: { case: 'clientAssertion', value } },
      })
    expect(await acceptedBy(mint, 'OAUTH_INVALID_CLIENT')).toEqual(byGoSpiffe())
  })

  it('authenticates a client by the X.509-SVID of its SPIFFE ID, and refuses one of another SPIFFE ID', async () => {
    const { clientId } = await server.registerClient({
      scopes: ['stock.read'],
      authenticationMethod: AuthenticationMethod.TLS_CLIENT,
      tlsClientSubject: `uri:${ORDERS}`,
    })
    const mintWith = async (name: string) => {
      const shown = { cert: made(`${name}.pem`), key: made(`${name}.key`) }
      const connection = connect(server.address, { ownSocket: true, channel: channelOf(authority, shown) })
      try {
        return await connection.call(TokenService.method.mintToken, { client: { clientId } })
      } finally {
        connection.close()
      }
    }
    expect((await mintWith('orders')).token?.scopes).toEqual(['stock.read'])
    expect((await refusalOf(mintWith('billing'))).reason).toBe('OAUTH_INVALID_CLIENT')
  })
})
