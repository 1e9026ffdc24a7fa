import { decodeJwt } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'
import { AccessTokenFormat, AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import {
  certificateAuthority,
  channelOf,
  type Identity,
  LOCAL_NAMES,
  selfSigned,
  suiteFolder,
} from '../setup/certificates.ts'
import { type Connection, connect, refusalOf } from '../setup/client.ts'
import { grantsOn, REDIRECT_URI, tokensOf } from '../setup/grants.ts'
import type { TestServer } from '../setup/server.ts'

const { exchangeAuthorizationCode, exchangeToken, introspectToken, mintToken, refreshToken, verifyToken } =
  TokenService.method
const TLS_CLIENT = AuthenticationMethod.TLS_CLIENT

const folder = suiteFolder()
const ca = certificateAuthority(folder, 'ca')
const otherCa = certificateAuthority(folder, 'other-ca')
const serving = ca.issue('server', LOCAL_NAMES)
const NAMES = [
  'DNS:orders.internal',
  'URI:spiffe://shop/orders',
  'IP:10.0.0.7',
  'IP:fd00::7',
  'email:orders@example.com',
]
const orders = ca.issue('orders', NAMES)
const billing = ca.issue('billing', ['DNS:billing.internal'])
const pretender = otherCa.issue('pretender', NAMES)
const alone = selfSigned(folder, 'alone', ['DNS:orders.internal'])
const stranger = selfSigned(folder, 'stranger')
const OPTIONS = {
  channel: channelOf(ca),
  variables: {
    QSCOPE_TLS_CERT_FILE: serving.certFile,
    QSCOPE_TLS_KEY_FILE: serving.keyFile,
    QSCOPE_TLS_CLIENT_CA_FILE: ca.certFile,
  },
}

onEveryBackend(
  'RFC 8705',
  (server) => {
    const open: Connection[] = []
    afterAll(() => {
      for (const connection of open) connection.close()
    })
    /** A connection with a client certificate. */
    const showing = (identity: Identity | null) => {
      const connection = connect(server.address, { ownSocket: true, channel: channelOf(ca, identity) })
      open.push(connection)
      return connection
    }
    const tlsClient = (tlsClientSubject: string, more: Parameters<TestServer['registerClient']>[0] = {}) =>
      server.registerClient({ authenticationMethod: TLS_CLIENT, tlsClientSubject, scopes: ['a'], ...more })
    const bound = async () => {
      const { clientId } = await tlsClient(`x5t#S256:${alone.thumbprint}`)
      const { token } = await showing(alone).call(mintToken, { client: { clientId } })
      return { clientId, accessToken: token?.accessToken ?? '' }
    }
    const confirmationOf = async (token: string) =>
      (await server.call(introspectToken, { client: server.admin.client, token })).claims?.confirmation?.x5tS256

    describe('§2 client authentication', () => {
      it.each([
        'dns:orders.internal',
        'dns:Orders.Internal',
        'uri:spiffe://shop/orders',
        'ip:10.0.0.7',
        'ip:FD00:0::0007',
        'email:orders@example.com',
      ])('§2.1 a client authenticates by a certificate of the CA with the name %s', async (subject) => {
        const { clientId } = await tlsClient(subject)
        const client = { clientId }
        expect((await showing(orders).call(mintToken, { client })).token?.scopes).toEqual(['a'])
        for (const identity of [billing, pretender, alone, null]) {
          const refused = await refusalOf(showing(identity).call(mintToken, { client }))
          expect(refused).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'OAUTH_INVALID_CLIENT' })
        }
      })

      it('§2.1 compares whole names', async () => {
        for (const subject of [
          'dns:internal',
          'dns:x.orders.internal',
          'uri:spiffe://shop/orders/2',
          'email:example.com@x',
        ]) {
          const { clientId } = await tlsClient(subject)
          expect((await refusalOf(showing(orders).call(mintToken, { client: { clientId } }))).reason).toBe(
            'OAUTH_INVALID_CLIENT',
          )
        }
      })

      it('§2.2 a client authenticates by the certificate with its thumbprint, which may be self-signed', async () => {
        for (const identity of [alone, orders, pretender]) {
          const { clientId } = await tlsClient(`x5t#S256:${identity.thumbprint}`)
          await showing(identity).call(mintToken, { client: { clientId } })
          const refused = await refusalOf(showing(stranger).call(mintToken, { client: { clientId } }))
          expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
        }
      })

      it('§2 a certificate authenticates only clients registered for it, and these have no other method', async () => {
        const secretClient = await server.registerClient({})
        const withoutSecret = { clientId: secretClient.clientId }
        expect((await refusalOf(showing(orders).call(mintToken, { client: withoutSecret }))).reason).toBe(
          'OAUTH_INVALID_CLIENT',
        )
        await showing(orders).call(mintToken, { client: secretClient.client })
        const { clientId } = await tlsClient('dns:orders.internal')
        const methods = [
          { case: 'clientSecret' as const, value: secretClient.clientSecret },
          { case: 'clientAssertion' as const, value: 'a.b.c' },
        ]
        for (const method of methods) {
          expect((await refusalOf(showing(orders).call(mintToken, { client: { clientId, method } }))).reason).toBe(
            'OAUTH_INVALID_CLIENT',
          )
        }
      })

      it('§6.5 accepts certificates only from the handshake, and ignores those in metadata', async () => {
        const { clientId } = await tlsClient('dns:orders.internal')
        const { clientId: byThumbprint } = await tlsClient(`x5t#S256:${orders.thumbprint}`)
        const pem = encodeURIComponent(orders.cert.toString())
        const hash = Buffer.from(orders.thumbprint, 'base64url').toString('hex')
        const headers = {
          'x-forwarded-client-cert': `Hash=${hash};Cert="${pem}";DNS=orders.internal`,
          'x-client-cert': pem,
          'ssl-client-cert': pem,
          'x-ssl-client-verify': 'SUCCESS',
          'client-cert': `:${orders.cert.toString('base64')}:`,
        }
        for (const client of [{ clientId }, { clientId: byThumbprint }]) {
          for (const identity of [null, billing]) {
            const refused = await refusalOf(showing(identity).call(mintToken, { client }, { metadata: headers }))
            expect(refused.reason).toBe('OAUTH_INVALID_CLIENT')
          }
        }
        const { accessToken } = await bound()
        const listed = showing(null).call(
          ClientService.method.listClients,
          {},
          { bearer: accessToken, metadata: { 'x-forwarded-client-cert': `Hash=${alone.thumbprint}` } },
        )
        expect((await refusalOf(listed)).reason).toBe('OAUTH_INVALID_TOKEN')
      })

      it('§2.1.2 registration requires one well-formed name or thumbprint', async () => {
        const wrong = [
          'orders.internal',
          'dns:',
          'dns:*.internal',
          'dns:a..b',
          'dns:orders internal',
          'DNS:orders.internal',
          'ip:10.0.0',
          'ip:fe80::1%eth0',
          'uri:orders',
          'uri:spiffe://shop/orders/',
          'uri:spiffe://shop',
          'email:orders',
          'cn:orders',
          'x5t#S256:short',
          `x5t#S256:${'A'.repeat(42)}B`,
          'x5t#S256:*',
        ]
        for (const subject of wrong) {
          const refused = await refusalOf(tlsClient(subject))
          expect([subject, refused.reason, refused.violations]).toEqual([
            subject,
            'REGISTRATION_INVALID_CLIENT_METADATA',
            ['tls_client_subject'],
          ])
        }
        const missing = await refusalOf(server.registerClient({ authenticationMethod: TLS_CLIENT }))
        expect(missing.violations).toEqual(['tls_client_subject'])
        const surplus = await refusalOf(server.registerClient({ tlsClientSubject: 'dns:a.example' }))
        expect(surplus.violations).toEqual(['tls_client_subject'])
      })

      it('§2.1.2 the name can be changed, with effect in the next call', async () => {
        const { clientId } = await tlsClient('dns:orders.internal')
        const connection = showing(orders)
        await connection.call(mintToken, { client: { clientId } })
        const { client } = await server.call(
          ClientService.method.updateClient,
          {
            client: { clientId, tlsClientSubject: 'dns:BILLING.internal' },
            updateMask: { paths: ['tls_client_subject'] },
          },
          { bearer: server.admin.token },
        )
        expect(client?.tlsClientSubject).toBe('dns:billing.internal')
        expect((await refusalOf(connection.call(mintToken, { client: { clientId } }))).reason).toBe(
          'OAUTH_INVALID_CLIENT',
        )
        await showing(billing).call(mintToken, { client: { clientId } })
      })
    })

    describe('§3 certificate-bound tokens', () => {
      it('§3.2 introspection returns the certificate to which a token is bound', async () => {
        const { accessToken } = await bound()
        expect(await confirmationOf(accessToken)).toBe(alone.thumbprint)
        const plain = await server.registerClient({})
        const { token } = await showing(alone).call(mintToken, { client: plain.client })
        expect(await confirmationOf(token?.accessToken ?? '')).toBeUndefined()
      })

      it('§3 a bound token verifies only with the thumbprint of its certificate', async () => {
        const { clientId, accessToken: token } = await bound()
        const verify = (presentedCertificateSha256?: string) =>
          showing(alone).call(verifyToken, {
            client: { clientId },
            token,
            ...(presentedCertificateSha256 !== undefined && { presentedCertificateSha256 }),
          })
        const { claims } = await verify(alone.thumbprint)
        expect(claims?.confirmation?.x5tS256).toBe(alone.thumbprint)
        for (const presented of [undefined, stranger.thumbprint]) {
          const refused = await refusalOf(verify(presented))
          expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_TOKEN', metadata: { token: 'presented' } })
        }
      })

      it('§3 an unbound token verifies with any certificate', async () => {
        const { client } = await server.registerClient({})
        const { token } = await server.call(mintToken, { client })
        const request = {
          client,
          token: token?.accessToken ?? '',
          presentedCertificateSha256: stranger.thumbprint,
        }
        expect((await server.call(verifyToken, request)).claims?.confirmation).toBeUndefined()
      })

      it('§3.1 a JWT carries the thumbprint in cnf', async () => {
        const { clientId } = await tlsClient('dns:orders.internal', {
          config: { accessTokenFormat: AccessTokenFormat.JWT },
        })
        const { token } = await showing(orders).call(mintToken, { client: { clientId } })
        expect(decodeJwt(token?.accessToken ?? '')['cnf']).toEqual({ 'x5t#S256': orders.thumbprint })
      })

      it('§3 a bound token authorizes calls of this server only together with its certificate', async () => {
        const { clientId } = await tlsClient(`x5t#S256:${alone.thumbprint}`, { scopes: ['qscope:clients.read'] })
        const { token } = await showing(alone).call(mintToken, { client: { clientId } })
        const bearer = token?.accessToken ?? ''
        const list = (identity: Identity | null) =>
          showing(identity).call(ClientService.method.listClients, {}, { bearer })
        expect((await list(alone)).clients.length).toBeGreaterThan(0)
        for (const identity of [null, stranger, orders]) {
          expect((await refusalOf(list(identity))).reason).toBe('OAUTH_INVALID_TOKEN')
        }
      })

      it('§7.1 tokens of a user’s grant are bound at every refresh to the presented certificate', async () => {
        const grants = grantsOn(server)
        const client = await tlsClient('dns:orders.internal', {
          grantTypes: [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN],
          redirectUris: [REDIRECT_URI],
        })
        const { code, verifier = '' } = await grants.createCode(client)
        const connection = showing(orders)
        const as = { client: { clientId: client.clientId } }
        const request = { ...as, code, redirectUri: REDIRECT_URI, codeVerifier: verifier }
        const first = tokensOf((await connection.call(exchangeAuthorizationCode, request)).token)
        expect(await confirmationOf(first.accessToken)).toBe(orders.thumbprint)
        const stolen = showing(stranger).call(refreshToken, { ...as, refreshToken: first.refreshToken })
        expect((await refusalOf(stolen)).reason).toBe('OAUTH_INVALID_CLIENT')
        const renewed = ca.issue(`renewed-${client.clientId}`, NAMES)
        const second = await showing(renewed).call(refreshToken, { ...as, refreshToken: first.refreshToken })
        expect(await confirmationOf(second.token?.accessToken ?? '')).toBe(renewed.thumbprint)
      })

      it('§3 an exchanged token is bound to the certificate of the client that exchanged it', async () => {
        const { accessToken } = await bound()
        const type = 'urn:ietf:params:oauth:token-type:access_token'
        const request = { subjectToken: accessToken, subjectTokenType: type }
        const more = { grantTypes: [GrantType.TOKEN_EXCHANGE] }
        const byCertificate = await tlsClient('dns:orders.internal', more)
        const bySecret = await server.registerClient({ ...more, scopes: ['a'] })
        const one = await showing(orders).call(exchangeToken, {
          client: { clientId: byCertificate.clientId },
          ...request,
        })
        const other = await showing(orders).call(exchangeToken, { client: bySecret.client, ...request })
        expect(await confirmationOf(one.token?.accessToken ?? '')).toBe(orders.thumbprint)
        expect(await confirmationOf(other.token?.accessToken ?? '')).toBeUndefined()
      })
    })
  },
  OPTIONS,
)

onEveryBackend(
  'RFC 8705, later',
  (server) => {
    it('§2.1 a certificate that has expired since the handshake is refused', async () => {
      const { clientId } = await server.registerClient({
        authenticationMethod: TLS_CLIENT,
        tlsClientSubject: 'dns:orders.internal',
      })
      const connection = connect(server.address, { ownSocket: true, channel: channelOf(ca, orders) })
      await connection.call(mintToken, { client: { clientId } })
      server.clock.advance(3 * 86_400_000)
      expect((await refusalOf(connection.call(mintToken, { client: { clientId } }))).reason).toBe(
        'OAUTH_INVALID_CLIENT',
      )
      connection.close()
    })
  },
  OPTIONS,
)
