import { copyFileSync, renameSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { credentials, Metadata } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AuthenticationMethod } from '../../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { channelOf, type Identity, LOCAL_NAMES, suiteFolder } from '../../setup/certificates.ts'
import { type Connection, connect, refusalOf, type Sent } from '../../setup/client.ts'
import { byteSequence, ClientPki, hexHash, urlEncoded } from '../../setup/client-pki.ts'
import { type FreshDatabase, sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer, type TestServer } from '../../setup/server.ts'

const { introspectToken, mintToken } = TokenService.method
const { listClients } = ClientService.method
const DAY_MS = 86_400_000

const folder = suiteFolder()
const pki = new ClientPki(folder)
const root = pki.root()
const named = (...names: readonly string[]) => ({ extensions: [`subjectAltName = ${names.join(',')}`], days: 10 })
const serving = pki.issue(root, named(...LOCAL_NAMES))
const proxy = pki.issue(root, named('URI:spiffe://mesh/edge'))
const almost = pki.issue(root, named('URI:spiffe://mesh/edge/', 'DNS:x.edge.internal', 'DNS:*.internal'))
const impostor = pki.issue(pki.root(), named('URI:spiffe://mesh/edge'))
const orders = pki.issue(root, named('DNS:orders.internal'))
const billing = pki.issue(root, named('DNS:billing.internal'))
const brief = pki.issue(root, { ...named('DNS:orders.internal'), days: 1 })
const intermediate = pki.intermediate(root)
const distant = pki.issue(intermediate, named('DNS:orders.internal'))
const trusted = join(folder, 'client-ca.pem')

const XFCC = 'x-forwarded-client-cert'
const cert = (identity: Identity) => `Cert="${urlEncoded(identity)}"`
const xfcc = (value: string) => ({ [XFCC]: value })

let database: FreshDatabase
let server: TestServer
const open: Connection[] = []

beforeAll(async () => {
  database = await sqliteFiles.create()
  copyFileSync(root.certFile, trusted)
  const variables = {
    QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
    QSCOPE_TLS_CERT_FILE: serving.certFile,
    QSCOPE_TLS_KEY_FILE: serving.keyFile,
    QSCOPE_TLS_CLIENT_CA_FILE: trusted,
    QSCOPE_TLS_RELOAD_INTERVAL: '100ms',
    QSCOPE_TRUSTED_PROXIES: 'edge.internal, spiffe://mesh/edge',
    QSCOPE_EXT_AUTHZ: 'on',
    QSCOPE_EXT_AUTHZ_PEERS: 'spiffe://mesh/authz',
  }
  server = await startServer(database.url, undefined, undefined, variables, channelOf(root))
})
afterAll(async () => {
  for (const connection of open) connection.close()
  await server.stop()
  await database.drop()
})

function through(identity: Identity | null): Connection {
  const connection = connect(server.address, { ownSocket: true, channel: channelOf(root, identity) })
  open.push(connection)
  return connection
}

async function tlsClient(tlsClientSubject = 'dns:orders.internal') {
  const wanted = { authenticationMethod: AuthenticationMethod.TLS_CLIENT, tlsClientSubject, scopes: ['a'] }
  return { client: { clientId: (await server.registerClient(wanted)).clientId } }
}

const metadataOf = (sent: Readonly<Record<string, string>>): Sent => ({ metadata: sent })

/** The certificate to which a token is bound that a client gets through a proxy. */
async function boundThrough(headers: Readonly<Record<string, string>>, identity = proxy) {
  const { token } = await through(identity).call(mintToken, await tlsClient(), metadataOf(headers))
  const shown = { client: server.admin.client, token: token?.accessToken ?? '' }
  return (await server.call(introspectToken, shown)).claims?.confirmation?.x5tS256
}

async function refusedThrough(headers: Readonly<Record<string, string>>, identity: Identity | null = proxy) {
  const refused = await refusalOf(through(identity).call(mintToken, await tlsClient(), metadataOf(headers)))
  return [refused.reason, ...refused.violations]
}

describe('the certificate that Envoy forwards', () => {
  it('is that of the caller, from Cert or the first of Chain', async () => {
    const by = `By=spiffe://mesh/edge;Hash=${hexHash(orders)}`
    for (const value of [
      cert(orders),
      `cert=${urlEncoded(orders)}`,
      `${by};${cert(orders)};Subject="CN=a,O=\\"b\\";c";URI=https://x/?y=z;DNS=orders.internal`,
      `Chain="${urlEncoded(orders, root)}"`,
      `${cert(orders)};Chain="${urlEncoded(orders)}"`,
    ]) {
      expect(await boundThrough(xfcc(value))).toBe(orders.thumbprint)
    }
  })

  it('may be followed by intermediate certificates', async () => {
    const chain = urlEncoded(distant, intermediate)
    expect(await boundThrough(xfcc(`${cert(distant)};Chain="${chain}"`))).toBe(distant.thumbprint)
    expect(await refusedThrough(xfcc(cert(distant)))).toEqual(['OAUTH_INVALID_CLIENT'])
    // In the wrong order the first certificate is that of a CA, which is not a client.
    expect(await refusedThrough(xfcc(`Chain="${urlEncoded(intermediate, distant)}"`))).toEqual(['OAUTH_INVALID_CLIENT'])
  })

  it('lets only its bearer use tokens bound to it', async () => {
    const { client } = await tlsClient()
    const asOrders = metadataOf(xfcc(cert(orders)))
    const { token } = await through(proxy).call(mintToken, { client }, asOrders)
    const bearer = token?.accessToken ?? ''
    const reasonOf = async (identity: Identity | null, headers: Readonly<Record<string, string>>) =>
      (await refusalOf(through(identity).call(listClients, {}, { bearer, metadata: headers }))).reason
    // The certificate is right, so only the scope of the token is refused.
    expect(await reasonOf(proxy, xfcc(cert(orders)))).toBe('OAUTH_INSUFFICIENT_SCOPE')
    expect(await reasonOf(orders, {})).toBe('OAUTH_INSUFFICIENT_SCOPE')
    expect(await reasonOf(proxy, xfcc(cert(billing)))).toBe('OAUTH_INVALID_TOKEN')
    expect(await reasonOf(proxy, {})).toBe('OAUTH_INVALID_TOKEN')
    expect(await reasonOf(billing, xfcc(cert(orders)))).toBe('OAUTH_INVALID_TOKEN')
  })

  it('does not affect clients with another authentication method', async () => {
    const { client } = await server.registerClient({ scopes: ['a'] })
    for (const metadata of [{}, xfcc(cert(orders))]) {
      const { token } = await through(proxy).call(mintToken, { client }, { metadata })
      expect(token?.scopes).toEqual(['a'])
    }
  })

  it.each([
    ['without the whole certificate', `Hash=${hexHash(orders)}`],
    ['without anything of a certificate', 'By=spiffe://mesh/edge'],
    ['that is empty', ''],
    ['with several elements', `${cert(orders)},${cert(orders)}`],
    ['with an element before', `By=x,${cert(orders)}`],
    ['with an empty element behind', `${cert(orders)},`],
    ['with an empty pair', `${cert(orders)};`],
    ['with two certificates', `${cert(billing)};${cert(orders)}`],
    ['with two certificates in Cert', `Cert="${urlEncoded(orders, billing)}"`],
    ['with a Chain of another', `${cert(orders)};Chain="${urlEncoded(billing, orders)}"`],
    ['with the Hash of another', `Hash=${hexHash(billing)};${cert(orders)}`],
    // A name in billing's own certificate, which Envoy copies unescaped.
    ['into which a name adds one', `Hash=${hexHash(billing)};URI=spiffe://a;${cert(orders)}`],
    [
      'into which a name adds one with its Hash',
      `Hash=${hexHash(billing)};URI=x;Hash=${hexHash(orders)};${cert(orders)}`,
    ],
    ['with a quote that never ends', `Cert="${urlEncoded(orders)}`],
    ['with an escaped quote at its end', `Cert="${urlEncoded(orders)}\\"`],
    ['with something behind the quote', `${cert(orders)}x`],
    ['with a quote within', `Cert=${urlEncoded(orders)}"`],
    ['with PEM that is not URL-encoded', `Cert="${orders.cert.toString().replaceAll('\n', ' ')}x"`],
    ['with a broken escape', `Cert="${urlEncoded(orders)}%E0%A4%A"`],
    ['with a key', `Cert="${encodeURIComponent(orders.key.toString())}"`],
    ['with text around the PEM', `Cert="x${urlEncoded(orders)}"`],
    ['with DER', `Cert="${byteSequence(orders)}"`],
    ['that is another header', byteSequence(orders)],
    ['that is longer than any', `${cert(orders)};Subject="${'a'.repeat(20_000)}"`],
  ])('is refused in a header %s', async (_what, value) => {
    expect(await refusedThrough(xfcc(value))).toEqual(['OAUTH_INVALID_REQUEST', XFCC])
  })

  it('is refused together with the header of RFC 9440', async () => {
    for (const name of ['client-cert', 'client-cert-chain']) {
      const headers = { ...xfcc(cert(orders)), [name]: byteSequence(orders) }
      expect(await refusedThrough(headers)).toEqual(['OAUTH_INVALID_REQUEST', XFCC])
    }
  })

  it.each([XFCC, 'client-cert', 'client-cert-chain'])('is refused if %s occurs twice', async (name) => {
    const once = name === XFCC ? cert(orders) : byteSequence(orders)
    const doubled = credentials.createFromMetadataGenerator((_options, callback) => {
      const metadata = new Metadata()
      metadata.add(name, once)
      callback(null, metadata)
    })
    const channel = credentials.combineChannelCredentials(channelOf(root, proxy), doubled)
    const connection = connect(server.address, { ownSocket: true, channel })
    open.push(connection)
    const beside = name === 'client-cert-chain' ? { 'client-cert': byteSequence(orders) } : {}
    const sent = { metadata: { [name]: once, ...beside } }
    const refused = await refusalOf(connection.call(mintToken, await tlsClient(), sent))
    expect([refused.reason, ...refused.violations]).toEqual(['OAUTH_INVALID_REQUEST', name])
  })

  it('is ignored from other peers than a proxy, such as one with a similar name or of another CA', async () => {
    for (const identity of [almost, impostor, billing, null]) {
      expect(await refusedThrough(xfcc(cert(orders)), identity)).toEqual(['OAUTH_INVALID_CLIENT'])
      expect(await refusedThrough(xfcc('x'), identity)).toEqual(['OAUTH_INVALID_CLIENT'])
    }
  })

  it('is never replaced by the certificate of the proxy', async () => {
    const { client } = await tlsClient('uri:spiffe://mesh/edge')
    for (const metadata of [{}, xfcc(cert(orders))]) {
      expect((await refusalOf(through(proxy).call(mintToken, { client }, { metadata }))).reason).toBe(
        'OAUTH_INVALID_CLIENT',
      )
    }
  })

  it('is refused with the reason', async () => {
    const messageOf = async (value: string) =>
      (await refusalOf(through(proxy).call(mintToken, await tlsClient(), metadataOf(xfcc(value))))).message
    expect(await messageOf(cert(impostor))).toContain('The client CA of this server did not issue')
    expect(await messageOf(cert(intermediate))).toContain('is not a TLS client certificate')
    const several = metadataOf(xfcc(`${cert(orders)},${cert(orders)}`))
    const { details } = await refusalOf(through(proxy).call(mintToken, await tlsClient(), several))
    expect(details.badRequest?.fieldViolations[0]?.description).toContain('has several elements')
    expect(server.lines).toContainEqual(expect.objectContaining({ problem: 'untrusted' }))
    expect(JSON.stringify(server.lines)).not.toContain('BEGIN%20CERTIFICATE')
  })

  it('is refused after its expiry, also if it was valid before', async () => {
    const { client } = await tlsClient()
    const asBrief = metadataOf(xfcc(cert(brief)))
    await through(proxy).call(mintToken, { client }, asBrief)
    server.clock.advance(2 * DAY_MS)
    // The same clock applies to the certificate of the proxy, which is still valid.
    const refused = await refusalOf(through(proxy).call(mintToken, { client }, asBrief))
    expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_CLIENT' })
    expect(refused.message).toContain('has expired')
    server.clock.advance(-2 * DAY_MS)
  })
})

describe('the certificate that a proxy forwards over HTTP', () => {
  interface Request {
    readonly headers?: Readonly<Record<string, string | string[]>>
    readonly identity?: Identity | null
    readonly path?: string
    readonly body: string
    readonly trailers?: Readonly<Record<string, string>>
  }
  function post({
    headers = {},
    identity = proxy,
    path = '/qscope.v1.TokenService/MintToken',
    body,
    trailers,
  }: Request) {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
    const shown = identity === null ? {} : { cert: identity.cert, key: identity.key }
    const options = { method: 'POST', ca: root.cert, agent: false, servername: 'localhost', ...shown } as const
    const all = { 'content-type': 'application/json', ...headers }
    const sent = request(server.httpUrl + path, { ...options, headers: all }, (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode ?? 0, text: answer }), reject)
    })
    sent.once('error', reject)
    if (trailers !== undefined) sent.setHeader('trailer', Object.keys(trailers))
    sent.write(body)
    if (trailers !== undefined) sent.addTrailers(trailers)
    sent.end()
    return promise
  }

  it('applies to calls and to the OAuth forms', async () => {
    const { client } = await tlsClient()
    const body = JSON.stringify({ client })
    expect((await post({ body, headers: xfcc(cert(orders)) })).status).toBe(200)
    expect((await post({ body, headers: xfcc(cert(billing)) })).status).toBe(401)
    expect((await post({ body })).status).toBe(401)
    const form = {
      path: '/oauth2/token',
      body: `grant_type=client_credentials&client_id=${client.clientId}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...xfcc(cert(orders)) },
    }
    expect((await post(form)).status).toBe(200)
    expect((await post({ ...form, identity: null })).status).toBe(401)
    const twice = { ...form.headers, [XFCC]: [cert(orders), cert(orders)] }
    const refused = await post({ ...form, headers: twice })
    expect([refused.status, JSON.parse(refused.text).error]).toEqual([400, 'invalid_request'])
  })

  it('is refused if a header occurs twice, and ignored in trailers', async () => {
    const body = JSON.stringify(await tlsClient())
    const once = cert(orders)
    const twice = await post({ body, headers: { [XFCC]: [once, once] } })
    expect(twice.status).toBe(400)
    expect(twice.text).toContain('OAUTH_INVALID_REQUEST')
    expect((await post({ body, headers: { 'transfer-encoding': 'chunked' }, trailers: xfcc(once) })).status).toBe(401)
  })

  it('is not read from headers that no port accepts', async () => {
    const body = JSON.stringify(await tlsClient())
    const headers = xfcc(`${cert(orders)};Subject="${'a'.repeat(100_000)}"`)
    // The server may close the connection before the whole header is sent.
    const outcome = await post({ body, headers }).then(
      ({ status }) => status,
      (error: NodeJS.ErrnoException) => error.code,
    )
    expect([431, 'ECONNRESET', 'EPIPE']).toContain(outcome)
  })
})

// Last in this file, because it replaces the CA of the other connections.
describe('the CA of forwarded certificates', () => {
  it('is reloaded from its file', async () => {
    const { client } = await tlsClient()
    const connection = through(proxy)
    const asOrders = metadataOf(xfcc(cert(orders)))
    await connection.call(mintToken, { client }, asOrders)
    copyFileSync(pki.root().certFile, `${trusted}.new`)
    renameSync(`${trusted}.new`, trusted)
    await expect.poll(() => server.lines.map(({ msg }) => msg)).toContain('TLS certificate replaced')
    expect((await refusalOf(connection.call(mintToken, { client }, asOrders))).reason).toBe('OAUTH_INVALID_CLIENT')
  })
})
