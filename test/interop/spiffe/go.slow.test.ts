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
const ORDERS = 'spiffe://shop.example/orders'

interface Shown {
  readonly name: string
  readonly token: string
  readonly accepted: boolean
}

/** A certificate, the file with it, and whether go-spiffe accepts it as that of the workload. */
interface Presented {
  readonly name: string
  readonly file: string
  readonly accepted: boolean
}

/** JWT-SVIDs by the names of their keys, and the bundles that follow each other, with the keys whose JWT-SVIDs go-spiffe accepts. */
interface Rotation {
  readonly tokens: Readonly<Record<string, string>>
  readonly stages: readonly { readonly bundle: string; readonly accepted: readonly string[] }[]
}

describe.skipIf(!hasGo)('a trust domain with a bundle and SVIDs made by go-spiffe', () => {
  const folder = suiteFolder()
  const made = (name: string) => readFileSync(join(folder, name))
  const authority = certificateAuthority(folder, 'ca')
  const serving = authority.issue('server', LOCAL_NAMES)
  const read = (name: string) => JSON.parse(made(name).toString())
  let tokens: readonly Shown[]
  let host: Awaited<ReturnType<typeof httpsHost>>
  let server: Awaited<ReturnType<typeof startServer>>
  let [grantee, federated] = ['', '']

  beforeAll(async () => {
    await run('go', ['build', '-o', PROGRAM, '.'], { cwd: SOURCE })
    await run(PROGRAM, [folder, AUDIENCE])
    tokens = read('tokens.json')
    const database = await sqliteFiles.create()
    const variables = {
      QSCOPE_TLS_CERT_FILE: serving.certFile,
      QSCOPE_TLS_KEY_FILE: serving.keyFile,
      QSCOPE_TLS_CLIENT_CA_FILE: join(folder, 'authority.pem'),
      QSCOPE_TRUST_PRIVATE_HOSTS: 'localhost',
    }
    const keyring = new Keyring(drawKeyMaterial())
    server = await startServer(database.url, keyring, undefined, variables, channelOf(authority))
    host = await httpsHost(serving)
    host.answers.set('/bundle', made('bundle.json').toString())
    const { clientId } = await server.registerClient({
      scopes: ['stock.read'],
      grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER],
    })
    grantee = clientId
    await trust('shop.example', '/bundle', [{ claims: { sub: ORDERS }, clientId: grantee, scopes: ['stock.read'] }])
    federated = await federatedClient(ORDERS)
    afterAll(async () => {
      await server.stop()
      await database.drop()
    })
  }, BUILD_MS)

  /** Trusts a trust domain whose bundle is at a path of the host. */
  async function trust(
    trustDomain: string,
    path: string,
    rules: MessageInitShape<typeof TrustedIssuerSchema>['rules'] = [],
  ) {
    const trustedIssuer: MessageInitShape<typeof TrustedIssuerSchema> = {
      issuer: `spiffe://${trustDomain}`,
      kind: TrustedIssuerKind.SPIFFE,
      trustDomain,
      keys: { case: 'jwksUri', value: `https://localhost:${host.port}${path}` },
      caCertificates: authority.cert.toString(),
      rules,
    }
    await server.call(TrustService.method.createTrustedIssuer, { trustedIssuer }, { bearer: server.admin.token })
  }

  /** The id of a client that authenticates by JWT-SVIDs of one SPIFFE ID. */
  async function federatedClient(subject: string): Promise<string> {
    const { clientId } = await server.registerClient({
      scopes: ['stock.read'],
      authenticationMethod: AuthenticationMethod.FEDERATED_JWT,
      federatedIdentities: [{ issuer: subject.slice(0, subject.lastIndexOf('/')), subject }],
    })
    return clientId
  }

  const mintBy = (clientId: string, value: string) =>
    server.call(TokenService.method.mintToken, {
      client: { clientId, method: { case: 'clientAssertion', value } },
    })

  /** Whether a call succeeds. One that fails is refused for the given reason. */
  async function isAccepted(name: string, call: Promise<unknown>, reason: string): Promise<boolean> {
    const answer = await call.then(
      () => null,
      async (error: unknown) => (await refusalOf(Promise.reject(error))).reason,
    )
    if (answer !== null) expect([name, answer]).toEqual([name, reason])
    return answer === null
  }

  /** The names of the tokens that a use of them accepts. */
  async function acceptedBy(use: (token: string) => Promise<unknown>, reason: string): Promise<readonly string[]> {
    const names: string[] = []
    for (const { name, token } of tokens) if (await isAccepted(name, use(token), reason)) names.push(name)
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
    const mint = (value: string) => mintBy(federated, value)
    expect(await acceptedBy(mint, 'OAUTH_INVALID_CLIENT')).toEqual(byGoSpiffe())
  })

  it('authenticates a client by certificate only if go-spiffe accepts it as the X.509-SVID of its SPIFFE ID', async () => {
    const certificates: readonly Presented[] = read('certificates.json')
    const { clientId } = await server.registerClient({
      scopes: ['stock.read'],
      authenticationMethod: AuthenticationMethod.TLS_CLIENT,
      tlsClientSubject: `uri:${ORDERS}`,
    })
    const mintWith = async (file: string) => {
      const shown = { cert: made(`${file}.pem`), key: made(`${file}.key`) }
      const connection = connect(server.address, { ownSocket: true, channel: channelOf(authority, shown) })
      try {
        return await connection.call(TokenService.method.mintToken, { client: { clientId } })
      } finally {
        connection.close()
      }
    }
    for (const { name, file, accepted } of certificates) {
      expect([name, await isAccepted(name, mintWith(file), 'OAUTH_INVALID_CLIENT')]).toEqual([name, accepted])
    }
    expect(certificates.filter(({ accepted }) => accepted).map(({ name }) => name)).toEqual([
      'the X.509-SVID of the workload',
      'one with a DNS name',
      'one without a key usage',
    ])
  })

  // Last, because it changes the clock of the server.
  it('accepts the JWT-SVIDs of the keys that go-spiffe accepts, before, during and after a change of keys', async () => {
    const { tokens: byKey, stages }: Rotation = read('rotation.json')
    expect(stages.map(({ accepted }) => accepted)).toEqual([['before'], ['before', 'after'], ['after']])
    await trust('rotating.example', '/rotating')
    const clientId = await federatedClient('spiffe://rotating.example/orders')
    for (const { bundle, accepted } of stages) {
      host.answers.set('/rotating', bundle)
      // Keys are used for five minutes at most without being fetched again.
      server.clock.advance(300_000)
      const names: string[] = []
      for (const [key, token] of Object.entries(byKey)) {
        if (await isAccepted(key, mintBy(clientId, token), 'OAUTH_INVALID_CLIENT')) names.push(key)
      }
      expect(names.toSorted()).toEqual(accepted.toSorted())
    }
  })
})
