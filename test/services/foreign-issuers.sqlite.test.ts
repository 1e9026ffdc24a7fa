import { createServer } from 'node:https'
import { decodeJwt } from 'jose'
import { Provider } from 'oidc-provider'
import { afterAll, describe, expect, it } from 'vitest'
import { drawKeyMaterial, Keyring } from '../../src/crypto/keyring.ts'
import { AccessTokenFormat } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { AssertionUse, TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { trustingFetch } from '../interop/oauth/trusting-fetch.ts'
import { type Claims, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { channelOf } from '../setup/certificates.ts'
import { refusalOf } from '../setup/client.ts'
import { discoverableIssuer, LOCAL_HOSTS, localHosts, trustOn } from '../setup/foreign-issuer.ts'
import { ASSERTION_TYPE, basic, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import { freePort } from '../setup/free-port.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'

const hosts = localHosts()
const { caCertificates, identity } = hosts
const discovered = { case: 'discovery', value: true } as const

async function started(variables: Readonly<Record<string, string>> = {}, ...channel: Parameters<typeof channelOf>[]) {
  const database = await sqliteFiles.create()
  const keyring = new Keyring(drawKeyMaterial())
  const [shown] = channel.map((each) => channelOf(...each))
  const server = await startServer(database.url, keyring, undefined, { ...LOCAL_HOSTS, ...variables }, shown)
  afterAll(async () => {
    await server.stop()
    await database.drop()
  })
  return server
}

const server = await started({ ...LIMITS_OFF, ...HTTP_PORT })
const { trust, workload, exchange, federated } = trustOn(server)
const refused = async (assertion: string) => (await refusalOf(exchange(assertion))).reason
const seconds = () => Math.floor(server.clock.now() / 1_000)
/** RFC 7519 §4.1, with times of now. */
const timely = (issuer: string, more: object) => ({
  iss: issuer,
  aud: server.issuer,
  iat: seconds(),
  nbf: seconds(),
  exp: seconds() + 300,
  ...more,
})

describe('oidc-provider as a foreign issuer', async () => {
  const port = await freePort()
  const issuer = `https://localhost:${port}`
  const secret = 'a-secret-of-the-foreign-issuer'
  /** The client whose tokens are access tokens. The tokens of the others are assertions. */
  const accessing = 'qscope'
  const workloads = ['orders', 'billing'] as const
  const grants = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }
  const key = { ...signingPair('RS256').privateKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [
      {
        client_id: accessing,
        client_secret: secret,
        grant_types: ['client_credentials', 'authorization_code'],
        redirect_uris: ['https://qscope.example/callback'],
      },
      ...workloads.map((name) => ({ client_id: name, client_secret: secret, ...grants })),
    ],
    ttl: { IdToken: 300, ClientCredentials: 300 },
    formats: {
      customizers: {
        jwt: (_ctx: unknown, { clientId }: { clientId: string }, token: { header?: object }) => {
          if (clientId !== accessing) token.header = { typ: 'JWT' }
        },
      },
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // The audience is the resource that is asked for.
        getResourceServerInfo: () => ({ scope: 'read', accessTokenFormat: 'jwt' }),
      },
    },
  })
  const host = createServer({ cert: identity.cert, key: identity.key }, provider.callback())
  await new Promise<void>((resolve) => host.listen(port, '127.0.0.1', resolve))
  afterAll(() => {
    host.closeAllConnections()
    host.close()
  })
  const clientId = await workload()
  const rules = [{ claims: { sub: 'build' }, clientId, scopes: ['stock.read'] }]
  await trust({ issuer, keys: discovered, caCertificates, audience: 'qscope', rules })
  /** The token that a client of the foreign issuer gets for a resource. */
  const issued = async (name: string, resource = server.issuer): Promise<string> => {
    const response = await trustingFetch({ ca: Buffer.from(caCertificates) })(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: GRANT_TYPES.clientCredentials, resource }),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...basic(name, secret) },
    })
    const { access_token: token, ...others } = JSON.parse(await response.text())
    expect(others).toMatchObject({ token_type: 'Bearer' })
    expect(decodeJwt(token)).toMatchObject({ iss: issuer, aud: resource, sub: name })
    return token
  }
  /** The last check of an assertion that authenticates a client: the one that failed, if one did. */
  const lastCheck = async (assertion: string) => {
    const request = { assertion, use: AssertionUse.CLIENT_AUTHENTICATION }
    const { checks } = await server.call(TrustService.method.testAssertion, request, { bearer: server.admin.token })
    return checks.at(-1)
  }

  it('is discovered, and its identity tokens authenticate a client', async () => {
    const client = await provider.Client.find('qscope')
    if (client === undefined) throw new Error('the foreign issuer does not know its client')
    const token = new provider.IdToken({ sub: 'build' }, { client, ctx: undefined })
    token.scope = 'openid'
    expect(await exchange(await token.issue({ use: 'idtoken' }))).toMatchObject({ scopes: ['stock.read'] })
  })

  it('issues access tokens, too, which authenticate no client: one type for each purpose', async () => {
    const accessToken = await issued(accessing)
    expect(await refused(accessToken)).toBe('OAUTH_INVALID_GRANT')
    const mint = await federated(issuer, accessing)
    expect((await refusalOf(mint(accessToken))).reason).toBe('OAUTH_INVALID_CLIENT')
    expect(await lastCheck(accessToken)).toMatchObject({ name: 'header_is_allowed', passed: false })
  })

  it('issues tokens to its clients that authenticate a client here by issuer and subject, for this audience only', async () => {
    const [name, other] = workloads
    const mint = await federated(issuer, name)
    const overHttp = (assertion: string) =>
      formsOn(server).token({
        grant_type: GRANT_TYPES.clientCredentials,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
      })
    const [token, ofOther, forOther] = [await issued(name), await issued(other), await issued(name, 'urn:elsewhere')]
    expect(await mint(token)).toMatchObject({ scopes: ['stock.read'] })
    expect(await overHttp(token)).toMatchObject({ status: 200, body: { scope: 'stock.read' } })
    const refusedFor = [
      ['client_has_identity', ofOther],
      ['audience_is_this_server', forOther],
    ] as const
    for (const [check, wrong] of refusedFor) {
      expect(await lastCheck(wrong)).toMatchObject({ name: check, passed: false })
      expect((await refusalOf(mint(wrong))).reason).toBe('OAUTH_INVALID_CLIENT')
      expect(await overHttp(wrong)).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    }
  })
})

describe('another QScope as a foreign issuer', async () => {
  const port = await freePort()
  const issuer = `https://localhost:${port}`
  const files = { QSCOPE_TLS_CERT_FILE: identity.certFile, QSCOPE_TLS_KEY_FILE: identity.keyFile }
  const variables = { ...files, QSCOPE_ISSUER: issuer, QSCOPE_HTTP_LISTEN: `127.0.0.1:${port}` }
  const other = await started(variables, [{ cert: Buffer.from(caCertificates) }])

  it('is discovered, and its identity tokens authenticate a client here, but not its access tokens', async () => {
    const clientId = await workload()
    const audiences = [server.issuer]
    const mint = async (accessTokenFormat: AccessTokenFormat) => {
      const { client } = await other.registerClient({
        clientId: other.unique('c-'),
        audiences,
        config: { accessTokenFormat },
      })
      const { token } = await other.call(TokenService.method.mintToken, { client, audiences })
      return { token: token?.accessToken ?? '', sub: client.clientId }
    }
    const [identityToken, accessToken] = [await mint(AccessTokenFormat.IDENTITY_JWT), await mint(AccessTokenFormat.JWT)]
    const rules = [identityToken, accessToken].map(({ sub }) => ({ claims: { sub }, clientId, scopes: ['stock.read'] }))
    await trust({ issuer, keys: discovered, caCertificates, rules })
    expect(await exchange(identityToken.token)).toMatchObject({ scopes: ['stock.read'] })
    expect(await refused(accessToken.token)).toBe('OAUTH_INVALID_GRANT')
    const [byIdentity, byAccess] = [
      await federated(issuer, identityToken.sub),
      await federated(issuer, accessToken.sub),
    ]
    expect(await byIdentity(identityToken.token)).toMatchObject({ scopes: ['stock.read'] })
    expect((await refusalOf(byAccess(accessToken.token))).reason).toBe('OAUTH_INVALID_CLIENT')
  })
})

/** What a platform puts into its tokens, as it documents them. */
interface Shape {
  readonly header: Claims
  readonly claims: Claims & { readonly sub: string }
  readonly rule: Readonly<Record<string, string>>
}
const PLATFORMS: Readonly<Record<string, Shape>> = {
  'a service account of Kubernetes (TokenRequest)': {
    header: {},
    claims: {
      aud: [server.issuer],
      sub: 'system:serviceaccount:shop:orders',
      'kubernetes.io': {
        namespace: 'shop',
        node: { name: 'node-1', uid: '646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1' },
        pod: { name: 'orders-6c9f9c8d5-7xk2p', uid: '5e0bd49b-f040-43b0-99b7-22765a53f7f3' },
        serviceaccount: { name: 'orders', uid: '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798' },
        warnafter: 1_796_203_607,
      },
    },
    rule: { '/kubernetes.io/namespace': 'shop', '/kubernetes.io/serviceaccount/name': 'orders' },
  },
  'a job of GitHub Actions': {
    header: { typ: 'JWT' },
    claims: {
      sub: 'repo:octo-org/octo-repo:environment:prod',
      environment: 'prod',
      ref: 'refs/heads/main',
      ref_type: 'branch',
      repository: 'octo-org/octo-repo',
      repository_id: '74',
      repository_owner: 'octo-org',
      job_workflow_ref: 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main',
      run_id: '9876543210',
      event_name: 'workflow_dispatch',
    },
    rule: { sub: 'repo:octo-org/octo-repo:environment:prod', ref: 'refs/heads/main' },
  },
  'a job of GitLab CI': {
    header: { typ: 'JWT' },
    claims: {
      sub: 'project_path:my-group/my-project:ref_type:branch:ref:main',
      namespace_path: 'my-group',
      project_path: 'my-group/my-project',
      pipeline_source: 'push',
      ref: 'main',
      ref_type: 'branch',
      ref_path: 'refs/heads/main',
      ref_protected: 'true',
      ci_config_ref_uri: 'gitlab.example/my-group/my-project//.gitlab-ci.yml@refs/heads/main',
      runner_environment: 'gitlab-hosted',
    },
    rule: { project_path: 'my-group/my-project', ref_protected: 'true' },
  },
}
const WORKERS = 4
const PER_KEY = 25

describe.each(Object.entries(PLATFORMS))('the token of %s', (_platform, { header, claims, rule }) => {
  it('authenticates a client, also while its issuer replaces its keys', async () => {
    const clientId = await workload()
    const [first, ...successors] = Array.from({ length: 4 }, () => signingPair('RS256'))
    if (first === undefined) throw new Error('no key')
    const { issuer, publish } = await discoverableIssuer(hosts, first)
    await trust({
      issuer,
      keys: discovered,
      caCertificates,
      rules: [{ claims: rule, clientId, scopes: ['stock.read'] }],
    })
    const mint = await federated(issuer, claims.sub)
    const published: SigningPair[] = [first]
    let signer = first
    let [accepted, more] = [0, true]
    const refusals: string[] = []
    const tokenOf = (pair: SigningPair) => signed(pair, timely(issuer, { jti: server.unique('j'), ...claims }), header)
    const work = async (present: typeof exchange) => {
      while (more) {
        await present(await tokenOf(signer)).then(
          () => (accepted += 1),
          (error: unknown) => refusals.push(String(error)),
        )
      }
    }
    // Uses up the searches for unknown keys.
    const stranger = signingPair('RS256')
    const answers = new Set<string>()
    const forge = async () => {
      while (more) answers.add(await refused(await tokenOf(stranger)))
    }
    const workers = [...Array.from({ length: WORKERS }, (_, at) => work(at % 2 === 0 ? exchange : mint)), forge()]
    const untilAccepted = async (count: number) => {
      while (accepted < count && refusals.length === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const next of successors) {
      await untilAccepted(accepted + PER_KEY)
      // As issuers do: the next key is published a minute before it signs, and each while its tokens live.
      published.push(next)
      publish(...published)
      await untilAccepted(accepted + PER_KEY)
      server.clock.advance(61_000)
      signer = next
      await untilAccepted(accepted + PER_KEY)
    }
    more = false
    await Promise.all(workers)
    expect(refusals).toEqual([])
    expect(accepted).toBeGreaterThanOrEqual(WORKERS * PER_KEY)
    expect([...answers]).toEqual(['OAUTH_INVALID_GRANT'])
    publish(signer)
    server.clock.advance(300_000)
    const withdrawn = await tokenOf(first)
    expect(await refused(withdrawn)).toBe('OAUTH_INVALID_GRANT')
    expect((await refusalOf(mint(withdrawn))).reason).toBe('OAUTH_INVALID_CLIENT')
  })
})
