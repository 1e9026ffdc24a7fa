import { X509Certificate } from 'node:crypto'
import { copyFileSync, renameSync } from 'node:fs'
import { Agent, type RequestOptions, request } from 'node:https'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AuthenticationMethod } from '../../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { certificateAuthority, channelOf, type Identity, LOCAL_NAMES, suiteFolder } from '../../setup/certificates.ts'
import { sqliteFiles } from '../../setup/fresh-database.ts'
import { startServer } from '../../setup/server.ts'

const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const first = ca.issue('first', LOCAL_NAMES)
const second = ca.issue('second', LOCAL_NAMES)
const caller = ca.issue('caller', ['DNS:caller.internal'])
const files = { cert: join(folder, 'live.pem'), key: join(folder, 'live.key') }

function put({ certFile, keyFile }: Identity): void {
  for (const [from, to] of [[certFile, files.cert] as const, [keyFile, files.key] as const]) {
    copyFileSync(from, `${to}.new`)
    renameSync(`${to}.new`, to)
  }
}

async function serve(more: Record<string, string>, channel = channelOf(ca)) {
  put(first)
  const database = await sqliteFiles.create()
  const variables = {
    QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
    QSCOPE_TLS_CERT_FILE: files.cert,
    QSCOPE_TLS_KEY_FILE: files.key,
    QSCOPE_TLS_RELOAD_INTERVAL: '100ms',
    ...more,
  }
  const server = await startServer(database.url, undefined, undefined, variables, channel)
  onTestFinished(async () => {
    await server.stop()
    await database.drop()
  })
  return server
}

/** Sends a request on a new connection; `shown` is the fingerprint of the server's certificate. */
function fetchTls(url: string, { body = '', ...options }: RequestOptions & { body?: string }) {
  return new Promise<{ status: number; document: unknown; shown: string }>((resolve, reject) => {
    const agent = new Agent({ ca: ca.cert, keepAlive: false })
    const sent = request(url, { agent, servername: 'localhost', ...options }, (response) => {
      const { socket } = response
      const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.fingerprint256 : undefined
      json(response).then(
        (document) => resolve({ status: response.statusCode ?? 0, document, shown: shown ?? '' }),
        reject,
      )
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

const POST = Object.freeze({ method: 'POST', headers: { 'content-type': 'application/json' } })
const METADATA = '/.well-known/oauth-authorization-server'

describe('with QSCOPE_TLS_CERT_FILE the HTTP port', () => {
  it('accepts only TLS, and presents a replaced certificate', async () => {
    const { httpUrl, lines } = await serve({})
    const before = await fetchTls(httpUrl + METADATA, {})
    expect(before.document).toMatchObject({ tls_client_certificate_bound_access_tokens: false })
    expect(before.shown).toBe(new X509Certificate(first.cert).fingerprint256)
    await expect(fetch(httpUrl.replace('https:', 'http:') + METADATA)).rejects.toThrow()
    put(second)
    await expect.poll(() => lines.map(({ msg }) => msg), { timeout: 60_000 }).toContain('TLS certificate replaced')
    expect((await fetchTls(httpUrl + METADATA, {})).shown).toBe(new X509Certificate(second.cert).fingerprint256)
  })

  it('authenticates a client by its certificate, and binds its tokens to it (RFC 8705)', async () => {
    const server = await serve({ QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile })
    const { client } = await server.registerClient({
      clientId: 'by-certificate',
      authenticationMethod: AuthenticationMethod.TLS_CLIENT,
      tlsClientSubject: 'dns:caller.internal',
      scopes: ['a'],
    })
    const url = `${server.httpUrl}/qscope.v1.TokenService/MintToken`
    const body = JSON.stringify({ client: { clientId: client.clientId } })
    expect((await fetchTls(url, { ...POST, body })).status).toBe(401)
    const { status, document } = await fetchTls(url, { ...POST, body, cert: caller.cert, key: caller.key })
    expect(status).toBe(200)
    const [token = ''] = /qat_\w+/.exec(JSON.stringify(document)) ?? []
    const request = { client: server.admin.client, token }
    const own = await server.call(TokenService.method.introspectToken, request)
    expect(own.claims?.confirmation?.x5tS256).toBe(caller.thumbprint)
    expect((await fetchTls(server.httpUrl + METADATA, {})).document).toMatchObject({
      token_endpoint_auth_methods_supported: expect.arrayContaining(['tls_client_auth', 'self_signed_tls_client_auth']),
      tls_client_certificate_bound_access_tokens: true,
    })
  })

  it('ignores certificates in headers', async () => {
    const server = await serve({ QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile })
    await server.registerClient({
      clientId: 'by-certificate',
      authenticationMethod: AuthenticationMethod.TLS_CLIENT,
      tlsClientSubject: 'dns:caller.internal',
    })
    const told = encodeURIComponent(caller.cert.toString())
    const headers = { ...POST.headers, 'x-forwarded-client-cert': `Cert="${told}"`, 'x-client-cert': told }
    const body = JSON.stringify({ client: { clientId: 'by-certificate' } })
    const url = `${server.httpUrl}/qscope.v1.TokenService/MintToken`
    expect((await fetchTls(url, { ...POST, headers, body })).status).toBe(401)
  })

  it('refuses connections without a certificate if one is required', async () => {
    const variables = { QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile, QSCOPE_TLS_CLIENT_AUTH: 'require' }
    const { httpUrl } = await serve(variables, channelOf(ca, caller))
    await expect(fetchTls(httpUrl + METADATA, {})).rejects.toThrow()
    expect((await fetchTls(httpUrl + METADATA, { cert: caller.cert, key: caller.key })).status).toBe(200)
  })
})
