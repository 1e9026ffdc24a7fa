import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { certificateAuthority, channelOf, type Identity, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { type Envoy, hasEnvoy, startConfiguredEnvoy } from '../setup/envoy.ts'
import { freePort } from '../setup/free-port.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { documentedExample, placedExample } from './envoy-page.ts'

const HEADING = 'Configure Envoy'
const AUDIENCE = 'https://orders.example'
const { mintToken, revokeToken } = TokenService.method

type Headers = Readonly<Record<string, string | string[]>>

/** The response to the sender of a request. */
function sendTo({ address }: Envoy, headers: Headers) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number | undefined
    readonly headers: IncomingHttpHeaders
  }>()
  const sent = request(`http://${address}/orders`, { method: 'POST', headers, agent: false }, (response) => {
    response.resume().once('end', () => resolve({ status: response.statusCode, headers: response.headers }))
  })
  sent.once('error', reject)
  sent.end()
  return promise
}

const portOf = ({ address }: Pick<TestServer, 'address'>) => Number(address.split(':').at(-1))

describe.skipIf(!hasEnvoy)('Envoy in front of a service, with QScope for external authorization', () => {
  let database: FreshDatabase
  let server: TestServer
  let envoy: Envoy
  let client: Awaited<ReturnType<TestServer['registerClient']>>['client']
  /** The headers of the requests that reached the service, as its library shows them and as they were sent. */
  const reached: { readonly headers: IncomingHttpHeaders; readonly names: readonly string[] }[] = []
  const service = createServer(({ headers, rawHeaders }, response) => {
    reached.push({ headers, names: rawHeaders.filter((_, at) => at % 2 === 0) })
    response.end('orders')
  })

  beforeAll(async () => {
    database = await sqliteFiles.create()
    const variables = { QSCOPE_EXT_AUTHZ: 'on', QSCOPE_EXT_AUTHZ_PEERS: 'loopback' }
    server = await startServer(database.url, undefined, undefined, variables)
    await new Promise<void>((listening) => service.listen(0, '127.0.0.1', listening))
    const [port, adminPort] = [await freePort(), await freePort()]
    const ports = {
      8000: port,
      9901: adminPort,
      9000: (service.address() as AddressInfo).port,
      50051: portOf(server),
    }
    envoy = await startConfiguredEnvoy(placedExample(documentedExample(HEADING), ports), port, adminPort)
    const wanted = { clientId: 'caller', scopes: ['orders.read', 'orders.write'], audiences: [AUDIENCE] }
    client = (await server.registerClient(wanted)).client
  })
  afterAll(async () => {
    await envoy.stop()
    service.close()
    await server.stop()
    await database.drop()
  })

  const mint = async (scopes = ['orders.read']) =>
    (await server.call(mintToken, { client, scopes, audiences: [AUDIENCE] })).token?.accessToken ?? ''

  /** The response to the sender, and the request as it reached the service. */
  async function send(headers: Headers) {
    reached.length = 0
    return { ...(await sendTo(envoy, headers)), reached: reached[0] ?? null }
  }

  it('forwards a request with a valid token, and adds headers with its claims', async () => {
    const { status, reached } = await send({ authorization: `Bearer ${await mint()}` })
    expect(status).toBe(200)
    expect(reached?.headers).toMatchObject({
      'x-qscope-client-id': 'caller',
      'x-qscope-subject': 'caller',
      'x-qscope-scopes': 'orders.read',
      'x-qscope-token-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  it('refuses a request without a token, with an invalid one, with two, or with insufficient scopes', async () => {
    const good = `Bearer ${await mint()}`
    const challengeOf = async (headers: Record<string, string | string[]>) => {
      const { status, headers: answered, reached } = await send(headers)
      return [status, answered['www-authenticate'], reached]
    }
    const invalid = [401, 'Bearer realm="qscope", error="invalid_token"', null]
    expect(await challengeOf({})).toEqual([401, 'Bearer realm="qscope"', null])
    expect(await challengeOf({ authorization: `Bearer ${server.unknownToken()}` })).toEqual(invalid)
    expect(await challengeOf({ authorization: [good, good] })).toEqual(invalid)
    expect(await challengeOf({ authorization: `${good},${good}` })).toEqual(invalid)
    expect(await challengeOf({ authorization: `Bearer ${await mint(['orders.write'])}` })).toEqual([
      403,
      'Bearer realm="qscope", error="insufficient_scope", scope="orders.read"',
      null,
    ])
  })

  it('refuses a token in the request after its revocation', async () => {
    const token = await mint()
    const authorization = `Bearer ${token}`
    expect(await send({ authorization })).toMatchObject({ status: 200 })
    await server.call(revokeToken, { client, token })
    expect(await send({ authorization })).toMatchObject({ status: 401, reached: null })
  })

  it('removes x-qscope headers of the sender in all spellings', async () => {
    const { status, reached } = await send({
      authorization: `Bearer ${await mint()}`,
      'X-QScope-Client-Id': ['admin', 'root'],
      'x-qscope-scopes': 'all',
      x_qscope_client_id: 'admin',
      'x_qscope-subject': ['admin', 'root'],
      'X-QScope_Token-Id': '1',
      'x-qscope-role': ['admin', 'root'],
      'x-other': 'stays',
    })
    expect(status).toBe(200)
    const names = reached?.names.map((name) => name.toLowerCase()) ?? []
    expect(names.filter((name) => /^x[-_]qscope/.test(name)).sort()).toEqual([
      'x-qscope-client-id',
      'x-qscope-scopes',
      'x-qscope-subject',
      'x-qscope-token-id',
    ])
    expect(reached?.headers).toMatchObject({
      'x-qscope-client-id': 'caller',
      'x-qscope-subject': 'caller',
      'x-qscope-scopes': 'orders.read',
      'x-other': 'stays',
    })
  })

  it('refuses a gRPC call with a gRPC status', async () => {
    const call = { 'content-type': 'application/grpc', te: 'trailers' }
    const missing = await send(call)
    expect(missing).toMatchObject({ status: 200, headers: { 'grpc-status': '16' }, reached: null })
    expect(missing.headers['grpc-message']).toMatch(/bearer/i)
    expect(missing.headers['www-authenticate']).toBeUndefined()
    const narrow = await send({ ...call, authorization: `Bearer ${await mint(['orders.write'])}` })
    expect(narrow).toMatchObject({ status: 200, headers: { 'grpc-status': '7' }, reached: null })
  })

  it('forwards no request while QScope is down', async () => {
    const authorization = `Bearer ${await mint()}`
    await server.stop()
    expect(await send({ authorization })).toMatchObject({ status: 403, reached: null })
  })
})

describe.skipIf(!hasEnvoy)('Envoy that calls QScope over TLS', () => {
  const ca = certificateAuthority(suiteFolder(), 'ca')
  const serving = ca.issue('server', LOCAL_NAMES)
  const envoys: Envoy[] = []
  let database: FreshDatabase
  let server: TestServer
  let authorization: string
  const service = createServer((_request, response) => void response.end('orders'))

  beforeAll(async () => {
    database = await sqliteFiles.create()
    const variables = {
      QSCOPE_TLS_CERT_FILE: serving.certFile,
      QSCOPE_TLS_KEY_FILE: serving.keyFile,
      QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
      QSCOPE_EXT_AUTHZ: 'on',
      QSCOPE_EXT_AUTHZ_PEERS: 'spiffe://mesh/envoy',
    }
    server = await startServer(database.url, undefined, undefined, variables, channelOf(ca))
    await new Promise<void>((listening) => service.listen(0, '127.0.0.1', listening))
    const { client } = await server.registerClient({ scopes: ['orders.read'], audiences: [AUDIENCE] })
    const { token } = await server.call(mintToken, { client, scopes: ['orders.read'], audiences: [AUDIENCE] })
    authorization = `Bearer ${token?.accessToken}`
  })
  afterAll(async () => {
    await Promise.all(envoys.map((envoy) => envoy.stop()))
    service.close()
    await server.stop()
    await database.drop()
  })

  /** The status of a request with a valid token through an Envoy with this certificate. */
  async function statusBehind({ certFile, keyFile }: Identity): Promise<number | undefined> {
    const [port, adminPort] = [await freePort(), await freePort()]
    const { port: servicePort } = service.address() as AddressInfo
    const ports = { 8000: port, 9901: adminPort, 9000: servicePort, 50051: portOf(server) }
    const files = {
      '/etc/envoy/envoy.pem': certFile,
      '/etc/envoy/envoy-key.pem': keyFile,
      '/etc/envoy/qscope-ca.pem': ca.certFile,
    }
    const [rest] = documentedExample(HEADING).split(/^ {4}- name: qscope$/m)
    const overTls = rest + documentedExample('Use TLS')
    const envoy = await startConfiguredEnvoy(placedExample(overTls, ports, files), port, adminPort)
    envoys.push(envoy)
    return (await sendTo(envoy, { authorization })).status
  }

  it('is accepted by the name in its certificate, and refused with another name', async () => {
    expect(await statusBehind(ca.issue('envoy', ['URI:spiffe://mesh/envoy']))).toBe(200)
    expect(await statusBehind(ca.issue('neighbour', ['URI:spiffe://mesh/envoy-2', 'DNS:localhost']))).toBe(403)
    // The call reached the server, which refused the name.
    const refusals = server.lines.filter(({ method }) => method === '/envoy.service.auth.v3.Authorization/Check')
    expect(refusals.at(-1)).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'oauth.invalid_client' })
  })
})
