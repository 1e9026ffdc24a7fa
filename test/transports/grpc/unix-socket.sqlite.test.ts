import { existsSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { AuthenticationMethod, GrantType } from '../../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceService } from '../../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { channelOf, type Identity, LOCAL_NAMES, suiteFolder } from '../../setup/certificates.ts'
import { type Connection, connect, refusalOf } from '../../setup/client.ts'
import { ClientPki, urlEncoded } from '../../setup/client-pki.ts'
import { type FreshDatabase, sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer, type TestServer } from '../../setup/server.ts'

const { introspectToken, mintToken } = TokenService.method

const folder = suiteFolder()
const pki = new ClientPki(folder)
const root = pki.root()
const named = (name: string) => ({ extensions: [`subjectAltName = ${name}`] })
const serving = pki.issue(root, named(LOCAL_NAMES.join(',')))
const orders = pki.issue(root, named('DNS:orders.internal'))
const [grpcSocket, httpSocket] = [join(folder, 'grpc.sock'), join(folder, 'http.sock')]
const ofSocket = `unix:${grpcSocket}`

let database: FreshDatabase
let server: TestServer
const open: Connection[] = []

const TLS = {
  QSCOPE_TLS_CERT_FILE: serving.certFile,
  QSCOPE_TLS_KEY_FILE: serving.keyFile,
  QSCOPE_TLS_CLIENT_CA_FILE: root.certFile,
}

beforeAll(async () => {
  database = await sqliteFiles.create()
  const variables = {
    ...TLS,
    QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
    QSCOPE_GRPC_SOCKET: grpcSocket,
    QSCOPE_HTTP_SOCKET: httpSocket,
    QSCOPE_TRUSTED_PROXIES: `unix:${grpcSocket}, unix:${httpSocket}`,
    QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: '1/h:20',
  }
  server = await startServer(database.url, undefined, undefined, variables, channelOf(root))
})
afterAll(async () => {
  for (const connection of open) connection.close()
  await server.stop()
  await database.drop()
})

function atSocket(path = grpcSocket): Connection {
  const connection = connect(`unix:${path}`, { ownSocket: true })
  open.push(connection)
  return connection
}

async function tlsClient() {
  const wanted = {
    authenticationMethod: AuthenticationMethod.TLS_CLIENT,
    tlsClientSubject: 'dns:orders.internal',
    scopes: ['a'],
  }
  return { client: { clientId: (await server.registerClient(wanted)).clientId } }
}

const xfcc = (identity: Identity) => ({ 'x-forwarded-client-cert': `Cert="${urlEncoded(identity)}"` })

function postAt(socketPath: string, path: string, headers: Readonly<Record<string, string>>, body: string) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
  const sent = request({ socketPath, path, method: 'POST', headers, agent: false }, (response) => {
    text(response).then((answer) => resolve({ status: response.statusCode ?? 0, text: answer }), reject)
  })
  sent.once('error', reject)
  sent.end(body)
  return promise
}

describe('the Unix domain socket', () => {
  it('serves a stock client in plaintext while the port serves TLS', async () => {
    const { client } = await server.registerClient({ scopes: ['a'] })
    const { token } = await atSocket().call(mintToken, { client })
    const shown = { client: server.admin.client, token: token?.accessToken ?? '' }
    expect((await server.call(introspectToken, shown)).active).toBe(true)
    expect((await atSocket().call(introspectToken, shown)).active).toBe(true)
  })

  it('has the configured permissions', () => {
    for (const path of [grpcSocket, httpSocket]) expect(statSync(path).mode & 0o777).toBe(0o660)
  })

  it('names its callers in the access log and the audit log', async () => {
    const client = { clientId: server.unique('x'), method: { case: 'clientSecret' as const, value: 'y' } }
    const refused = await refusalOf(atSocket().call(mintToken, { client }))
    expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
    await server.flush()
    expect(server.lines).toContainEqual(expect.objectContaining({ msg: 'call', rayId: refused.rayId, peer: ofSocket }))
    const events = await server.auditEvents({ eventTypes: ['client.authentication_failed'] })
    expect(events.map(({ metadata }) => metadata['peer'])).toContain(ofSocket)
  })
})

describe('a proxy at the Unix domain socket', () => {
  it('forwards the certificates of its callers, who get and use tokens bound to them', async () => {
    const request = await tlsClient()
    const { token } = await atSocket().call(mintToken, request, { metadata: xfcc(orders) })
    const bearer = token?.accessToken ?? ''
    const { claims } = await server.call(introspectToken, { client: server.admin.client, token: bearer })
    expect(claims?.confirmation?.x5tS256).toBe(orders.thumbprint)
    const listed = (metadata: Readonly<Record<string, string>>) =>
      refusalOf(atSocket().call(ClientService.method.listClients, {}, { bearer, metadata }))
    expect((await listed(xfcc(orders))).reason).toBe('OAUTH_INSUFFICIENT_SCOPE')
    expect((await listed({})).reason).toBe('OAUTH_INVALID_TOKEN')
  })

  it('is refused with a certificate of another CA, with an incomplete one and without one', async () => {
    const request = await tlsClient()
    const impostor = pki.issue(pki.root(), named('DNS:orders.internal'))
    const reasonOf = async (metadata: Readonly<Record<string, string>>) =>
      (await refusalOf(atSocket().call(mintToken, request, { metadata }))).reason
    expect(await reasonOf(xfcc(impostor))).toBe('OAUTH_INVALID_CLIENT')
    expect(await reasonOf({ 'x-forwarded-client-cert': 'Hash=ab' })).toBe('OAUTH_INVALID_REQUEST')
    expect(await reasonOf({})).toBe('OAUTH_INVALID_CLIENT')
  })

  it('has its headers ignored at the port', async () => {
    const atPort = connect(server.address, { ownSocket: true, channel: channelOf(root) })
    open.push(atPort)
    const refused = await refusalOf(atPort.call(mintToken, await tlsClient(), { metadata: xfcc(orders) }))
    expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
  })

  it('can use the socket for HTTP', async () => {
    const { client } = await tlsClient()
    const form = `grant_type=client_credentials&client_id=${client.clientId}`
    const headers = { host: 'qscope', 'content-type': 'application/x-www-form-urlencoded' }
    const minted = await postAt(httpSocket, '/oauth2/token', { ...headers, ...xfcc(orders) }, form)
    expect([minted.status, JSON.parse(minted.text).token_type]).toEqual([200, 'Bearer'])
    expect((await postAt(httpSocket, '/oauth2/token', headers, form)).status).toBe(401)
  })

  it('shares the limits per address with all callers at the socket, and not with those at the port', async () => {
    const guess = { client: { clientId: 'nobody', method: { case: 'clientSecret' as const, value: 'x' } } }
    const reasonAt = async (connection: Connection) => (await refusalOf(connection.call(mintToken, guess))).reason
    const reasons: string[] = []
    while (!reasons.includes('LIMIT_EXCEEDED') && reasons.length < 100) reasons.push(await reasonAt(atSocket()))
    expect(reasons.at(-1)).toBe('LIMIT_EXCEEDED')
    const atPort = connect(server.address, { ownSocket: true, channel: channelOf(root) })
    open.push(atPort)
    expect(await reasonAt(atPort)).toBe('OAUTH_INVALID_CLIENT')
    // Only failures are limited, so callers with valid credentials are still answered.
    expect((await atSocket().call(introspectToken, { client: server.admin.client, token: 'x' })).active).toBe(false)
  })
})

describe('a Unix domain socket without a trusted proxy', () => {
  it('ignores certificates in headers, and is removed when its server stops', async () => {
    const other = await sqliteFiles.create()
    const path = join(folder, 'other.sock')
    const plain = await startServer(other.url, undefined, undefined, { QSCOPE_GRPC_SOCKET: path })
    onTestFinished(async () => await other.drop())
    const { clientId } = await plain.registerClient({
      authenticationMethod: AuthenticationMethod.TLS_CLIENT,
      tlsClientSubject: 'dns:orders.internal',
      scopes: ['a'],
    })
    const refused = await refusalOf(
      atSocket(path).call(mintToken, { client: { clientId } }, { metadata: xfcc(orders) }),
    )
    expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
    expect(existsSync(path)).toBe(true)
    await plain.stop()
    expect(existsSync(path)).toBe(false)
  })

  it('ends its streams as the port does when the server stops', async () => {
    const other = await sqliteFiles.create()
    const path = join(folder, 'draining.sock')
    const draining = await startServer(other.url, undefined, undefined, { QSCOPE_GRPC_SOCKET: path })
    onTestFinished(async () => await other.drop())
    const { client } = await draining.registerClient({ scopes: ['a'], grantTypes: [GrantType.DEVICE_CODE] })
    const { startDeviceAuthorization, watchDeviceAuthorization } = DeviceService.method
    const watches = []
    for (const { call, stream } of [atSocket(path), draining]) {
      const { deviceCode } = await call(startDeviceAuthorization, { client })
      const watch = stream(watchDeviceAuthorization, { client, deviceCode })
      await watch.first
      watches.push(watch)
    }
    await draining.stop()
    const ends = await Promise.all(watches.map(({ ended }) => refusalOf(ended)))
    expect(ends.map(({ status, reason }) => [status, reason])).toEqual(
      Array(2).fill(['UNAVAILABLE', 'OAUTH_TEMPORARILY_UNAVAILABLE']),
    )
  })

  it('prevents the start of a server if it is in use', async () => {
    const other = await sqliteFiles.create()
    const path = join(folder, 'taken.sock')
    const holder = createServer().listen({ path })
    await new Promise((resolve) => holder.once('listening', resolve))
    onTestFinished(async () => {
      await new Promise((resolve) => holder.close(resolve))
      await other.drop()
    })
    await expect(startServer(other.url, undefined, undefined, { QSCOPE_GRPC_SOCKET: path })).rejects.toThrow(
      `gRPC cannot listen on unix:${path}: the address is already in use`,
    )
  })
})
