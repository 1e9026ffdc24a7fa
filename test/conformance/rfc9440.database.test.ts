import { request } from 'node:https'
import { json } from 'node:stream/consumers'
import { afterAll, describe, expect, it } from 'vitest'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { channelOf, type Identity, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { type Connection, connect, refusalOf } from '../setup/client.ts'
import { byteSequence, ClientPki } from '../setup/client-pki.ts'

const { introspectToken, mintToken } = TokenService.method

const pki = new ClientPki(suiteFolder())
const root = pki.root()
const named = (...names: readonly string[]) => ({ extensions: [`subjectAltName = ${names.join(',')}`] })
const serving = pki.issue(root, named(...LOCAL_NAMES))
const proxy = pki.issue(root, named('DNS:edge.internal'))
const other = pki.issue(root, named('DNS:billing.internal'))
const orders = pki.issue(root, named('DNS:orders.internal'))
const first = pki.intermediate(root)
const second = pki.intermediate(first)
const distant = pki.issue(second, named('DNS:orders.internal'))
const OPTIONS = {
  channel: channelOf(root),
  variables: {
    QSCOPE_HTTP_LISTEN: '127.0.0.1:0',
    QSCOPE_TLS_CERT_FILE: serving.certFile,
    QSCOPE_TLS_KEY_FILE: serving.keyFile,
    QSCOPE_TLS_CLIENT_CA_FILE: root.certFile,
    QSCOPE_TRUSTED_PROXIES: 'edge.internal',
  },
}

type Headers = Readonly<Record<string, string>>

onEveryBackend(
  'RFC 9440',
  (server) => {
    const open: Connection[] = []
    afterAll(() => {
      for (const connection of open) connection.close()
    })
    const through = (identity: Identity | null) => {
      const connection = connect(server.address, { ownSocket: true, channel: channelOf(root, identity) })
      open.push(connection)
      return connection
    }
    const tlsClient = async () => {
      const wanted = { authenticationMethod: AuthenticationMethod.TLS_CLIENT, tlsClientSubject: 'dns:orders.internal' }
      const { clientId } = await server.registerClient({ ...wanted, scopes: ['a'] })
      return { client: { clientId } }
    }
    /** The certificate to which a token is bound that a client gets through a proxy. */
    const boundThrough = async (headers: Headers, identity: Identity | null = proxy) => {
      const { token } = await through(identity).call(mintToken, await tlsClient(), { metadata: headers })
      const shown = { client: server.admin.client, token: token?.accessToken ?? '' }
      return (await server.call(introspectToken, shown)).claims?.confirmation?.x5tS256
    }
    const refusedThrough = async (headers: Headers, identity: Identity | null = proxy) => {
      const refused = await refusalOf(through(identity).call(mintToken, await tlsClient(), { metadata: headers }))
      return [refused.reason, ...refused.violations]
    }

    /** Mints over HTTP/1.1. A header with several values is sent in several lines. */
    const send = async (headers: Readonly<Record<string, string | string[]>>, { cert, key }: Identity) => {
      const body = JSON.stringify(await tlsClient())
      const { promise, resolve, reject } = Promise.withResolvers<{ status: number; document: unknown }>()
      const url = `${server.httpUrl}/qscope.v1.TokenService/MintToken`
      const options = { method: 'POST', ca: root.cert, cert, key, agent: false, servername: 'localhost' } as const
      const all = { 'content-type': 'application/json', ...headers }
      const sent = request(url, { ...options, headers: all }, (response) => {
        json(response).then((document) => resolve({ status: response.statusCode ?? 0, document }), reject)
      })
      sent.once('error', reject)
      sent.end(body)
      return await promise
    }

    describe('§2.2 Client-Cert', () => {
      it('§2.2 Client-Cert is the certificate of the caller, as a byte sequence of its DER', async () => {
        expect(await boundThrough({ 'client-cert': byteSequence(orders) })).toBe(orders.thumbprint)
      })

      it('§2.1 base64 without padding is accepted too (RFC 8941 §4.2.7)', async () => {
        const plain = `${byteSequence(orders).replaceAll('=', '')}`
        expect(await boundThrough({ 'client-cert': plain })).toBe(orders.thumbprint)
      })

      it('§2.1 Client-Cert is refused unless it is the DER of exactly one certificate', async () => {
        const encoded = byteSequence(orders)
        const malformed = [
          encoded.slice(1),
          encoded.slice(0, -1),
          `"${encoded}"`,
          `${encoded};a=1`,
          `${encoded}, ${encoded}`,
          '::',
          ':AAAA:',
          `:${orders.cert.toString('base64')}:`,
          `${encoded.slice(0, -1).replace(/=+$/, '')}AAAA:`,
          encodeURIComponent(orders.cert.toString()),
        ]
        for (const text of malformed) {
          expect(await refusedThrough({ 'client-cert': text })).toEqual(['OAUTH_INVALID_REQUEST', 'client-cert'])
        }
      })
    })

    describe('§2.3 Client-Cert-Chain', () => {
      it('§2.3 Client-Cert-Chain contains the intermediate certificates up to the CA', async () => {
        const list = [second, first].map(byteSequence).join(', ')
        const headers = { 'client-cert': byteSequence(distant), 'client-cert-chain': list }
        expect(await boundThrough(headers)).toBe(distant.thumbprint)
        const short = { ...headers, 'client-cert-chain': byteSequence(second) }
        expect(await refusedThrough(short)).toEqual(['OAUTH_INVALID_CLIENT'])
      })

      it('§2.3 Client-Cert-Chain may contain the root and others in any order; the caller’s certificate is that in Client-Cert', async () => {
        const list = [root, first, second, orders].map(byteSequence).join(',')
        const headers = { 'client-cert': byteSequence(distant), 'client-cert-chain': list }
        expect(await boundThrough(headers)).toBe(distant.thumbprint)
      })

      it('§2.3 Client-Cert-Chain is refused without Client-Cert, and if it is not a list of certificates', async () => {
        const chain = byteSequence(second)
        expect(await refusedThrough({ 'client-cert-chain': chain })).toEqual([
          'OAUTH_INVALID_REQUEST',
          'client-cert-chain',
        ])
        for (const text of ['', ',', `${chain},`, `${chain} ${chain}`, Array(9).fill(chain).join(',')]) {
          const headers = { 'client-cert': byteSequence(distant), 'client-cert-chain': text }
          expect(await refusedThrough(headers)).toEqual(['OAUTH_INVALID_REQUEST', 'client-cert'])
        }
      })
    })

    describe('§2.3 fields in several lines', () => {
      it('§2.3 the chain in one line is accepted, and refused if it is divided into several lines', async () => {
        const [leaf, ...chain] = [distant, second, first].map(byteSequence)
        const told = { 'client-cert': leaf ?? '' }
        expect((await send({ ...told, 'client-cert-chain': chain.join(', ') }, proxy)).status).toBe(200)
        const { status, document } = await send({ ...told, 'client-cert-chain': chain }, proxy)
        expect(status).toBe(400)
        expect(document).toMatchObject({ code: 'invalid_argument' })
        expect(JSON.stringify(document)).toContain('client-cert-chain was sent more than once')
      })

      it('§2.2 Client-Cert in two lines is refused, even if both are the same', async () => {
        const { status, document } = await send({ 'client-cert': [orders, orders].map(byteSequence) }, proxy)
        expect(status).toBe(400)
        expect(JSON.stringify(document)).toContain('client-cert was sent more than once')
      })
    })

    describe('§2.4 the proxy', () => {
      it('§2.4 the proxy’s own certificate never authenticates its callers', async () => {
        const asProxy = { authenticationMethod: AuthenticationMethod.TLS_CLIENT, tlsClientSubject: 'dns:edge.internal' }
        const { clientId } = await server.registerClient({ ...asProxy, scopes: ['a'] })
        for (const metadata of [{}, { 'client-cert': byteSequence(orders) }]) {
          const refused = await refusalOf(through(proxy).call(mintToken, { client: { clientId } }, { metadata }))
          expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
        }
        expect(await refusedThrough({})).toEqual(['OAUTH_INVALID_CLIENT'])
      })

      it('§2.4 headers of a trusted proxy are accepted over HTTP too, and those of another peer are ignored', async () => {
        const told = { 'client-cert': byteSequence(orders) }
        expect((await send(told, proxy)).status).toBe(200)
        expect((await send(told, other)).status).toBe(401)
        expect((await send({ 'client-cert': 'x' }, proxy)).status).toBe(400)
      })
    })

    describe('§4 security', () => {
      it('§4 the headers are ignored unless a trusted proxy sends them', async () => {
        const headers = { 'client-cert': byteSequence(orders) }
        for (const identity of [other, null]) {
          expect(await refusedThrough(headers, identity)).toEqual(['OAUTH_INVALID_CLIENT'])
        }
        // They are ignored even if malformed, and the certificate of the connection is used.
        expect(await boundThrough({ 'client-cert': 'x' }, orders)).toBe(orders.thumbprint)
      })

      it('§4 the server verifies the forwarded certificate itself', async () => {
        const foreign = pki.issue(pki.root(), named('DNS:orders.internal'))
        const forServers = pki.issue(root, {
          extensions: ['subjectAltName = DNS:orders.internal', 'extendedKeyUsage = serverAuth'],
        })
        for (const certificate of [foreign, forServers]) {
          expect(await refusedThrough({ 'client-cert': byteSequence(certificate) })).toEqual(['OAUTH_INVALID_CLIENT'])
        }
      })
    })
  },
  OPTIONS,
)
