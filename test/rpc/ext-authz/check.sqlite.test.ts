import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Client } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Authorization } from '../../../src/gen/envoy/service/auth/v3/external_auth_pb.ts'
import { StatusCode } from '../../../src/gen/envoy/type/v3/http_status_pb.ts'
import { Code } from '../../../src/gen/google/rpc/code_pb.ts'
import { AccessTokenFormat, AuthenticationMethod } from '../../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { certificateAuthority, channelOf, LOCAL_NAMES, selfSigned, suiteFolder } from '../../setup/certificates.ts'
import { type Connection, connect, refusalOf } from '../../setup/client.ts'
import { type FreshDatabase, sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer, type TestServer } from '../../setup/server.ts'
import { call, detailsOf } from '../../transports/grpc/harness.ts'
import { type Attributes, AUDIENCE, asking, decisionOf } from './asking.ts'

const { check } = Authorization.method
const { mintToken, revokeToken } = TokenService.method

const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const serving = ca.issue('server', LOCAL_NAMES)
const bound = ca.issue('bound', ['DNS:bound.internal'])
const other = ca.issue('other', ['DNS:other.internal'])
const TLS = {
  QSCOPE_TLS_CERT_FILE: serving.certFile,
  QSCOPE_TLS_KEY_FILE: serving.keyFile,
  QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
  QSCOPE_EXT_AUTHZ: 'on',
}

const databases: FreshDatabase[] = []
async function serve(variables: Readonly<Record<string, string>>): Promise<TestServer> {
  const database = await sqliteFiles.create()
  databases.push(database)
  const channel = 'QSCOPE_TLS_CERT_FILE' in variables ? channelOf(ca) : undefined
  return await startServer(database.url, undefined, undefined, variables, channel)
}
afterAll(async () => {
  for (const database of databases) await database.drop()
})

describe('a decision for Envoy', () => {
  let server: TestServer
  let client: Awaited<ReturnType<TestServer['registerClient']>>
  let token: string

  beforeAll(async () => {
    server = await serve({ ...TLS, QSCOPE_EXT_AUTHZ_PEERS: 'loopback' })
    client = await server.registerClient({
      clientId: 'caller',
      scopes: ['orders.read', 'x'],
      audiences: [AUDIENCE, 'b'],
    })
    token = await mint()
  })
  afterAll(async () => await server.stop())

  const mint = async (audiences = [AUDIENCE]) =>
    (await server.call(mintToken, { client: client.client, scopes: ['orders.read'], audiences })).token?.accessToken ??
    ''
  const ask = async (attributes: Attributes) => decisionOf(await server.call(check, { attributes }))
  const bearer = (value = token) => ({ authorization: `Bearer ${value}` })
  const ALLOWED = () => ({
    code: Code.OK,
    removed: [],
    set: {
      'x-qscope-client-id': 'caller',
      'x-qscope-subject': 'caller',
      'x-qscope-scopes': 'orders.read',
      'x-qscope-token-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    },
  })
  const INVALID = {
    code: Code.UNAUTHENTICATED,
    http: StatusCode.Unauthorized,
    set: { 'www-authenticate': 'Bearer realm="qscope", error="invalid_token"' },
    body: expect.stringMatching(/token/),
  }

  it('accepts a valid token, and names its owner', async () => {
    expect(await ask(asking(bearer(), { required_scopes: 'orders.read' }))).toEqual(ALLOWED())
    expect(await ask(asking({ authorization: `bearer  ${token}` }))).toEqual(ALLOWED())
  })

  it('accepts a JWT, and refuses a changed signature', async () => {
    const format = { accessTokenFormat: AccessTokenFormat.JWT }
    const { client: signed } = await server.registerClient({ scopes: ['x'], audiences: [AUDIENCE], ...format })
    const minted = await server.call(mintToken, { client: signed, audiences: [AUDIENCE] })
    const jwt = minted.token?.accessToken ?? ''
    expect(await ask(asking(bearer(jwt)))).toMatchObject({ code: Code.OK })
    const [head, payload] = jwt.split('.')
    expect(await ask(asking(bearer(`${head}.${payload}.${randomBytes(64).toString('base64url')}`)))).toEqual(INVALID)
  })

  it('requires a token', async () => {
    const missing = { ...INVALID, set: { 'www-authenticate': 'Bearer realm="qscope"' } }
    expect(await ask(asking({}))).toEqual(missing)
    expect(await ask(asking({ authorization: 'Basic YTpi' }))).toEqual(missing)
    expect(await ask({ contextExtensions: { audience: AUDIENCE } })).toEqual(missing)
  })

  it.each([
    ['two in one value', (good: string) => `Bearer ${good}, Bearer ${good}`],
    ['two, joined without a space', (good: string) => `Bearer ${good},Bearer ${good}`],
    ['one and another scheme', (good: string) => `Bearer ${good},Basic YTpi`],
    ['words after it', (good: string) => `Bearer ${good} ${good}`],
    ['no token', () => 'Bearer '],
    ['a token of nobody', () => `Bearer ${server.unknownToken()}`],
  ])('refuses %s', async (_what, value) => {
    expect(await ask(asking({ authorization: value(token) }))).toEqual(INVALID)
  })

  it('refuses several values in separate headers', async () => {
    const single = (key: string, value: string) => ({ key, rawValue: Buffer.from(value) })
    const raw = (...headers: ReturnType<typeof single>[]): Attributes => ({
      request: { http: { headerMap: { headers } } },
      contextExtensions: { audience: AUDIENCE },
    })
    const good = single('authorization', `Bearer ${token}`)
    expect(await ask(raw(good))).toEqual(ALLOWED())
    expect(await ask(raw(good, good))).toEqual(INVALID)
    expect(await ask(raw(good, single('Authorization', 'Basic YTpi')))).toEqual(INVALID)
  })

  it('refuses a token that lacks a scope, and names what is required', async () => {
    expect(await ask(asking(bearer(), { required_scopes: 'orders.read orders.write' }))).toEqual({
      code: Code.PERMISSION_DENIED,
      http: StatusCode.Forbidden,
      set: {
        'www-authenticate': 'Bearer realm="qscope", error="insufficient_scope", scope="orders.read orders.write"',
      },
      body: expect.stringMatching(/orders\.write/),
    })
  })

  it('refuses a token for another audience, and one without an audience', async () => {
    expect(await ask(asking(bearer(await mint(['b']))))).toEqual(INVALID)
    const { client: anybody } = await server.registerClient({ scopes: ['orders.read'] })
    const minted = await server.call(mintToken, { client: anybody })
    expect(await ask(asking(bearer(minted.token?.accessToken)))).toEqual(INVALID)
  })

  it('is refused without an audience', async () => {
    const attributes = { ...asking(bearer()), contextExtensions: { required_scopes: 'orders.read' } }
    const refusal = await refusalOf(server.call(check, { attributes }))
    expect(refusal).toMatchObject({ status: 'INVALID_ARGUMENT', violations: ['attributes.context_extensions'] })
  })

  it('applies a revocation at once', async () => {
    const revoked = await mint()
    expect(await ask(asking(bearer(revoked)))).toEqual(ALLOWED())
    await server.call(revokeToken, { client: client.client, token: revoked })
    expect(await ask(asking(bearer(revoked)))).toEqual(INVALID)
  })

  it('removes identity headers of the sender, in any spelling', async () => {
    const claims = {
      'x-qscope-client-id': 'admin',
      'x-qscope-role': 'admin',
      x_qscope_client_id: 'admin',
      'x_qscope-scopes': 'all',
      'X-QScope-Token_Id': '1',
      'x-qscopes': 'another name',
    }
    expect(await ask(asking({ ...bearer(), ...claims }))).toEqual({
      ...ALLOWED(),
      removed: ['x-qscope-role', 'x-qscope-token_id', 'x_qscope-scopes', 'x_qscope_client_id'],
    })
  })

  it('omits the challenge for gRPC, which has its own statuses', async () => {
    for (const type of ['application/grpc', 'application/grpc+proto']) {
      expect(await ask(asking({ 'content-type': type }))).toEqual({ ...INVALID, set: {} })
    }
    expect(await ask(asking({ 'content-type': 'application/grpc-web' }))).toMatchObject({
      set: { 'www-authenticate': 'Bearer realm="qscope"' },
    })
  })

  it('accepts a certificate-bound token only with its certificate', async () => {
    const { clientId } = await server.registerClient({
      authenticationMethod: AuthenticationMethod.TLS_CLIENT,
      tlsClientSubject: 'dns:bound.internal',
      audiences: [AUDIENCE],
      scopes: ['x'],
    })
    const holder = connect(server.address, { ownSocket: true, channel: channelOf(ca, bound) })
    const minted = await holder.call(mintToken, { client: { clientId }, audiences: [AUDIENCE] })
    holder.close()
    const value = minted.token?.accessToken ?? ''
    const beside = async (certificate: string, more: Readonly<Record<string, string>> = {}) => {
      const contextExtensions = { audience: AUDIENCE, ...more }
      return await ask({ source: { certificate }, request: { http: { headers: bearer(value) } }, contextExtensions })
    }
    expect(await beside(encodeURIComponent(String(bound.cert)))).toMatchObject({ code: Code.OK })
    // What takes its place is bound to the same.
    const { set } = await beside(encodeURIComponent(String(bound.cert)), { replace_bearer: 'jwt' })
    const [, claims = ''] = set['authorization']?.split('.') ?? []
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      cnf: { 'x5t#S256': bound.thumbprint },
    })
    // Others that came along do not count.
    const chain = encodeURIComponent(String(other.cert) + String(bound.cert))
    for (const wrong of ['', encodeURIComponent(String(other.cert)), chain, '%', 'no certificate']) {
      expect(await beside(wrong)).toEqual(INVALID)
    }
  })

  it('is logged without the content of the request', async () => {
    await ask({
      source: { principal: 'spiffe://shop/web' },
      request: { http: { path: '/p?secret-1', body: 'secret-2', headers: { ...bearer(), cookie: 'secret-3' } } },
      contextExtensions: { audience: AUDIENCE },
    })
    const logged = server.lines.filter((line) => JSON.stringify(line).includes('Authorization/Check'))
    expect(JSON.stringify(logged)).toContain('spiffe://shop/web')
    expect(JSON.stringify(server.lines)).not.toMatch(/secret-\d/)
  })

  it('counts as a call in the metrics', async () => {
    await ask(asking(bearer()))
    const { text } = await server.telemetry.metrics()
    expect(text).toMatch(/qscope_calls_total\{[^}]*Authorization[^}]*\} [1-9]/)
  })
})

describe('who may ask for decisions', () => {
  const names = ['envoy.internal', 'spiffe://mesh/envoy']
  const open: Connection[] = []
  let server: TestServer

  beforeAll(async () => {
    server = await serve({ ...TLS, QSCOPE_EXT_AUTHZ_PEERS: names.join(', ') })
  })
  afterAll(async () => {
    for (const connection of open) connection.close()
    await server.stop()
  })

  const askedAt = async (address: string, channel?: ReturnType<typeof channelOf>) => {
    const connection = connect(address, { ownSocket: true, ...(channel !== undefined && { channel }) })
    open.push(connection)
    const answered = connection.call(check, { attributes: asking({}) })
    return await answered.then(
      () => 'answered',
      (error: unknown) => (error as { readonly reason?: string }).reason,
    )
  }
  const askedBy = async (identity: Parameters<typeof channelOf>[1]) =>
    await askedAt(server.address, channelOf(ca, identity))

  it.each([
    ['a DNS name', ['DNS:Envoy.Internal']],
    ['a URI among others', ['DNS:b.internal', 'URI:spiffe://mesh/envoy']],
  ])('is known by %s', async (what, alternativeNames) => {
    expect(await askedBy(ca.issue(what.replaceAll(' ', '-'), alternativeNames))).toBe('answered')
  })

  it('is nobody else', async () => {
    expect(await askedBy(null)).toBe('OAUTH_INVALID_CLIENT')
    expect(await askedBy(ca.issue('child', ['DNS:a.envoy.internal']))).toBe('OAUTH_INVALID_CLIENT')
    expect(await askedBy(ca.issue('longer', ['URI:spiffe://mesh/envoy/2']))).toBe('OAUTH_INVALID_CLIENT')
    expect(await askedBy(ca.issue('email', ['email:a@envoy.internal']))).toBe('OAUTH_INVALID_CLIENT')
    // Whoever signs for itself may write any name.
    expect(await askedBy(selfSigned(folder, 'pretender', ['DNS:envoy.internal']))).toBe('OAUTH_INVALID_CLIENT')
  })

  it('is whoever connects to the Unix domain socket that is named, and nobody at another socket or the port', async () => {
    const [named, unnamed, http] = [join(folder, 'named.sock'), join(folder, 'unnamed.sock'), join(folder, 'http.sock')]
    const atNamed = await serve({
      QSCOPE_EXT_AUTHZ: 'on',
      QSCOPE_EXT_AUTHZ_PEERS: `unix:${named}`,
      QSCOPE_GRPC_SOCKET: named,
      QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
      QSCOPE_HTTP_SOCKET: http,
    })
    onTestFinished(() => atNamed.stop())
    const elsewhere = await serve({
      QSCOPE_EXT_AUTHZ: 'on',
      QSCOPE_EXT_AUTHZ_PEERS: 'loopback',
      QSCOPE_GRPC_SOCKET: unnamed,
    })
    onTestFinished(() => elsewhere.stop())
    expect(await askedAt(`unix:${named}`)).toBe('answered')
    expect(await askedAt(atNamed.address)).toBe('OAUTH_INVALID_CLIENT')
    expect(await askedAt(`unix:${unnamed}`)).toBe('OAUTH_INVALID_CLIENT')
    expect(await askedAt(elsewhere.address)).toBe('answered')
    // The HTTP socket does not speak gRPC, so the error is of the transport and has no reason.
    expect(await askedAt(`unix:${http}`)).toBe('')
  })

  it('decides about tokens at the Unix domain socket as at a port', async () => {
    const path = join(folder, 'deciding.sock')
    const deciding = await serve({
      QSCOPE_EXT_AUTHZ: 'on',
      QSCOPE_EXT_AUTHZ_PEERS: `unix:${path}`,
      QSCOPE_GRPC_SOCKET: path,
    })
    onTestFinished(() => deciding.stop())
    const { client } = await deciding.registerClient({ clientId: 'caller', audiences: [AUDIENCE] })
    const { token } = await deciding.call(mintToken, { client, audiences: [AUDIENCE] })
    const connection = connect(`unix:${path}`, { ownSocket: true })
    open.push(connection)
    const decide = async (bearer: string) =>
      decisionOf(await connection.call(check, { attributes: asking({ authorization: `Bearer ${bearer}` }) }))
    expect(await decide(token?.accessToken ?? '')).toMatchObject({
      code: Code.OK,
      set: { 'x-qscope-client-id': 'caller' },
    })
    expect(await decide(deciding.unknownToken())).toMatchObject({ http: StatusCode.Unauthorized })
  })

  it.each([
    ['short', 8],
    ['long', 8_000],
  ])('is checked before a %s request is read', async (_length, bytes) => {
    const broken = Buffer.alloc(bytes, 0xff)
    const askedAs = async (identity: Parameters<typeof channelOf>[1]) => {
      const client = new Client(server.address, channelOf(ca, identity), { 'grpc.use_local_subchannel_pool': 1 })
      const { error } = await call(client, check, broken)
      client.close()
      return detailsOf(error)?.info?.reason
    }
    expect(await askedAs(null)).toBe('OAUTH_INVALID_CLIENT')
    expect(await askedAs(ca.issue(`reader-${bytes}`, ['DNS:envoy.internal']))).toBe('OAUTH_INVALID_REQUEST')
  })

  it('finds no such service if it is off, nor on the HTTP port', async () => {
    const plain = await serve({})
    expect(await refusalOf(plain.call(check, { attributes: asking({}) }))).toMatchObject({ status: 'UNIMPLEMENTED' })
    await plain.stop()
    const both = await serve({
      QSCOPE_EXT_AUTHZ: 'on',
      QSCOPE_EXT_AUTHZ_PEERS: 'loopback',
      QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
    })
    const url = `${both.httpUrl}/envoy.service.auth.v3.Authorization/Check`
    const answer = await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    expect(answer.status).toBe(404)
    expect(await refusalOf(both.call(check, { attributes: {} }))).toMatchObject({ status: 'INVALID_ARGUMENT' })
    await both.stop()
  })
})
