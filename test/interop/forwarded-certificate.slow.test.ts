import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { channelOf, type Identity, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { type Connection, connect, refusalOf } from '../setup/client.ts'
import { byteSequence, ClientPki, urlEncoded } from '../setup/client-pki.ts'
import { type Envoy, hasEnvoy, startConfiguredEnvoy } from '../setup/envoy.ts'
import { freePort } from '../setup/free-port.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { documentedExample, placedExample } from './envoy-page.ts'

const { introspectToken, mintToken } = TokenService.method

const HEADING = 'Put Envoy in front of QScope'
const SOCKET = '/run/qscope/grpc.sock'

/** How Envoy connects to QScope, and the entry of QSCOPE_TRUSTED_PROXIES for it. */
const WAYS = [
  { way: 'over TLS', proxy: 'spiffe://mesh/edge', example: () => documentedExample(HEADING) },
  {
    way: 'at a Unix domain socket',
    proxy: `unix:${SOCKET}`,
    example: () => {
      const [rest] = documentedExample(HEADING).split(/^ {4}- name: qscope$/m)
      return rest + documentedExample('Through a Unix domain socket')
    },
  },
]

describe.skipIf(!hasEnvoy).each(WAYS)('QScope behind Envoy, connected $way', ({ proxy, example }) => {
  const folder = suiteFolder()
  const socket = join(folder, 'grpc.sock')
  const pki = new ClientPki(folder)
  const root = pki.root()
  const named = (...names: readonly string[]) => ({ extensions: [`subjectAltName = ${names.join(',')}`] })
  const [serving, edge] = [pki.issue(root, named(...LOCAL_NAMES)), pki.issue(root, named('URI:spiffe://mesh/edge'))]
  const orders = pki.issue(root, named('DNS:orders.internal'))
  // A name that Envoy does not quote in the header.
  const billing = pki.issue(root, { extensions: ['subjectAltName = @names', '[names]', 'URI.1 = https://b/?a=1;c,d'] })
  const intermediate = pki.intermediate(root)
  const leaf = pki.issue(intermediate, named('DNS:orders.internal'))
  const distant = { ...leaf, cert: Buffer.concat([leaf.cert, intermediate.cert]) }
  let database: FreshDatabase
  let server: TestServer
  let envoy: Envoy
  const open: Connection[] = []

  beforeAll(async () => {
    database = await sqliteFiles.create()
    const variables = {
      QSCOPE_TLS_CERT_FILE: serving.certFile,
      QSCOPE_TLS_KEY_FILE: serving.keyFile,
      QSCOPE_TLS_CLIENT_CA_FILE: root.certFile,
      QSCOPE_GRPC_SOCKET: socket,
      QSCOPE_TRUSTED_PROXIES: proxy.replace(SOCKET, socket),
    }
    server = await startServer(database.url, undefined, undefined, variables, channelOf(root))
    const [port, adminPort] = [await freePort(), await freePort()]
    const files = {
      '/etc/envoy/public.pem': serving.certFile,
      '/etc/envoy/public-key.pem': serving.keyFile,
      '/etc/envoy/client-ca.pem': root.certFile,
      '/etc/envoy/edge.pem': edge.certFile,
      '/etc/envoy/edge-key.pem': edge.keyFile,
      '/etc/envoy/qscope-ca.pem': root.certFile,
    }
    const ports = { 8443: port, 9901: adminPort, 50051: Number(server.address.split(':').at(-1)) }
    const placed = placedExample(example(), ports, files).replace(SOCKET, socket)
    envoy = await startConfiguredEnvoy(placed, port, adminPort)
  })
  afterAll(async () => {
    for (const connection of open) connection.close()
    await envoy.stop()
    await server.stop()
    await database.drop()
  })

  const behind = (identity: Pick<Identity, 'cert' | 'key'> | null) => {
    const connection = connect(envoy.address, { ownSocket: true, channel: channelOf(root, identity) })
    open.push(connection)
    return connection
  }
  async function tlsClient(tlsClientSubject = 'dns:orders.internal') {
    const wanted = { authenticationMethod: AuthenticationMethod.TLS_CLIENT, tlsClientSubject, scopes: ['a'] }
    return { client: { clientId: (await server.registerClient(wanted)).clientId } }
  }

  it('authenticates clients by their certificates, and binds tokens to them', async () => {
    for (const identity of [orders, distant]) {
      const { token } = await behind(identity).call(mintToken, await tlsClient())
      const bearer = token?.accessToken ?? ''
      const { claims } = await server.call(introspectToken, { client: server.admin.client, token: bearer })
      expect(claims?.confirmation?.x5tS256).toBe(identity.thumbprint)
      const listed = (by: Identity | null) =>
        refusalOf(behind(by).call(ClientService.method.listClients, {}, { bearer }))
      expect((await listed(identity)).reason).toBe('OAUTH_INSUFFICIENT_SCOPE')
      expect((await listed(null)).reason).toBe('OAUTH_INVALID_TOKEN')
    }
  })

  it('refuses clients with another certificate, without one, or with that of Envoy', async () => {
    const asEdge = await tlsClient('uri:spiffe://mesh/edge')
    for (const identity of [billing, null]) {
      for (const request of [await tlsClient(), asEdge]) {
        expect((await refusalOf(behind(identity).call(mintToken, request))).reason).toBe('OAUTH_INVALID_CLIENT')
      }
    }
  })

  it('ignores certificate headers of clients', async () => {
    const request = await tlsClient()
    for (const metadata of [
      { 'x-forwarded-client-cert': `Cert="${urlEncoded(orders)}"` },
      { 'client-cert': byteSequence(orders) },
    ]) {
      expect((await refusalOf(behind(null).call(mintToken, request, { metadata }))).reason).toBe('OAUTH_INVALID_CLIENT')
      // The headers do not replace the certificate of the connection, either.
      await behind(orders).call(mintToken, request, { metadata })
    }
  })

  it('authenticates clients by a secret', async () => {
    const { client } = await server.registerClient({ scopes: ['a'] })
    for (const identity of [orders, null]) {
      expect((await behind(identity).call(mintToken, { client })).token?.scopes).toEqual(['a'])
    }
  })
})
