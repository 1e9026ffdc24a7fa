import { randomUUID } from 'node:crypto'
import { afterAll, expect, it } from 'vitest'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { type Claims, inSeconds } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { channelOf, type Identity, LOCAL_NAMES, suiteFolder } from '../setup/certificates.ts'
import { type Connection, connect, refusalOf } from '../setup/client.ts'
import { ClientPki } from '../setup/client-pki.ts'
import { jwtPlatform, spiffePlatform, workload } from '../setup/federated.ts'
import { ASSERTION_TYPE, formsOn, HTTP_PORT } from '../setup/forms.ts'

const { mintToken } = TokenService.method
const SVID_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe'
const DRAFT = 'draft-ietf-oauth-spiffe-client-auth'

onEveryBackend(
  `${DRAFT}, JWT-SVIDs`,
  (server) => {
    const forms = formsOn(server)
    const mint = (assertion: string, more: Readonly<Record<string, string>> = {}) =>
      forms.token({
        grant_type: 'client_credentials',
        client_assertion: assertion,
        client_assertion_type: SVID_TYPE,
        ...more,
      })
    const svidClient = async (path = '/ns/shop/sa/orders') => {
      const domain = await spiffePlatform(server)
      const subject = `${domain.issuer}${path}`
      return { domain, ...(await workload(server, domain, { subject })) }
    }
    const expectRefused = async (what: unknown, answer: ReturnType<typeof mint>) => {
      const { status, headers, body } = await answer
      expect([what, status, body['error']]).toEqual([what, 401, 'invalid_client'])
      expect(headers.get('cache-control')).toBe('no-store')
      return body['error_description']
    }

    it('§3.1 a JWT-SVID authenticates the client that is registered with its SPIFFE ID, with and without client_id', async () => {
      const { clientId, subject, assertion } = await svidClient()
      const svid = await assertion({ iss: undefined })
      for (const more of [{ client_id: clientId }, { client_id: subject }, {}]) {
        const { status, body } = await mint(svid, more)
        expect([status, body['token_type']]).toEqual([200, 'Bearer'])
      }
      const other = await server.registerClient({})
      await expectRefused('another client_id', mint(svid, { client_id: other.clientId }))
    })

    it('§3.1 client_id is required beside a SPIFFE ID of more than 128 characters', async () => {
      const { clientId, subject, assertion } = await svidClient(`/${'a'.repeat(128)}`)
      const svid = await assertion()
      expect((await mint(svid, { client_id: clientId })).status).toBe(200)
      await expectRefused('no client_id', mint(svid))
      expect((await mint(svid, { client_id: subject })).status).toBe(400)
    })

    it('§3.1 a JWT-SVID without sub, aud or exp, expired, or not only for the issuer is refused', async () => {
      const { domain, clientId, assertion } = await svidClient()
      const broken: readonly Claims[] = [
        { aud: undefined },
        { aud: `${server.httpUrl}/oauth2/token` },
        { aud: [server.issuer, 'https://other.example'] },
        { exp: undefined },
        { exp: inSeconds(-1) },
        { sub: `${domain.issuer}/ns/shop/sa/other` },
      ]
      for (const claims of broken) {
        await expectRefused(claims, mint(await assertion(claims), { client_id: clientId }))
      }
    })

    it('§3.1 the type jwt-spiffe is refused with a JWT that is not a JWT-SVID, whoever signed it', async () => {
      const { clientId, assertion } = await workload(server, await jwtPlatform(server))
      const own = await assertion()
      const jwtBearer = { client_id: clientId, client_assertion_type: ASSERTION_TYPE }
      expect((await mint(own, jwtBearer)).status).toBe(200)
      const { domain, ...svid } = await svidClient()
      const notSvids: readonly (readonly [string, string])[] = [
        [clientId, own],
        [svid.clientId, await svid.assertion({ sub: undefined })],
        [svid.clientId, await svid.assertion({ sub: domain.issuer })],
        [svid.clientId, await svid.assertion({ sub: `${domain.issuer}/orders/` })],
        [svid.clientId, 'a.b.c'],
      ]
      for (const [id, text] of notSvids) {
        const description = await expectRefused(text, mint(text, { client_id: id }))
        expect(description).toContain('its subject is not the SPIFFE ID of a workload')
      }
    })

    it('§6 only the keys of the trust domain in the subject verify a JWT-SVID, whatever its iss is', async () => {
      const { clientId, claims, assertion } = await svidClient()
      const stranger = await svidClient()
      await expectRefused('another domain', mint(await stranger.assertion(claims()), { client_id: clientId }))
      const platform = await workload(server, await jwtPlatform(server))
      const { iss } = platform.claims()
      await expectRefused('an issuer of JWTs', mint(await platform.assertion(claims({ iss })), { client_id: clientId }))
      expect((await mint(await assertion({ iss }), { client_id: clientId })).status).toBe(200)
    })
  },
  { variables: { ...LIMITS_OFF, ...HTTP_PORT } },
)

const ID = 'spiffe://shop.example/orders'
const LEAF = Object.freeze(['basicConstraints = critical, CA:FALSE', 'keyUsage = critical, digitalSignature'])
const pki = new ClientPki(suiteFolder())
const root = pki.root()
const issued = (names: readonly string[], extensions: readonly string[] = LEAF, by = root) =>
  pki.issue(by, { extensions: [`subjectAltName = ${names.join(',')}`, ...extensions] })
const serving = issued(LOCAL_NAMES)

onEveryBackend(
  `${DRAFT}, X.509-SVIDs`,
  (server) => {
    const open: Connection[] = []
    afterAll(() => {
      for (const connection of open) connection.close()
    })
    const svidClient = async (id = ID) => {
      const { clientId } = await server.registerClient({
        authenticationMethod: AuthenticationMethod.TLS_CLIENT,
        tlsClientSubject: `uri:${id}`,
        scopes: ['a'],
      })
      return { clientId }
    }
    const mintWith = (identity: Identity, client: { readonly clientId: string }) => {
      const connection = connect(server.address, { ownSocket: true, channel: channelOf(root, identity) })
      open.push(connection)
      return connection.call(mintToken, { client })
    }
    const expectRefused = async (refused: Readonly<Record<string, Identity>>) => {
      const client = await svidClient()
      for (const [what, identity] of Object.entries(refused)) {
        const { status, reason } = await refusalOf(mintWith(identity, client))
        expect([what, status, reason]).toEqual([what, 'UNAUTHENTICATED', 'OAUTH_INVALID_CLIENT'])
      }
    }

    it('§3.2 an X.509-SVID of the client CA authenticates the client that is registered with its SPIFFE ID', async () => {
      const client = await svidClient()
      const accepted = [issued([`URI:${ID}`]), issued([`URI:${ID}`, 'DNS:orders.internal']), issued([`URI:${ID}`], [])]
      for (const identity of accepted) expect((await mintWith(identity, client)).token?.scopes).toEqual(['a'])
      await expectRefused({
        'another CA': issued([`URI:${ID}`], LEAF, pki.root()),
        'another workload': issued([`URI:${ID}/2`]),
        'another trust domain': issued(['URI:spiffe://other.example/orders']),
        'no SPIFFE ID': issued(['DNS:shop.example']),
      })
    })

    it('§3.2 a certificate with a second URI is not an X.509-SVID', async () => {
      await expectRefused({
        'two SPIFFE IDs': issued([`URI:${ID}`, 'URI:spiffe://shop.example/billing']),
        'the same SPIFFE ID twice': issued([`URI:${ID}`, `URI:${ID}`]),
        'another URI first': issued(['URI:https://shop.example/', `URI:${ID}`]),
        'another URI last': issued([`URI:${ID}`, 'URI:https://shop.example/']),
      })
      const uri = `https://${randomUUID()}.example/`
      const client = await server.registerClient({
        authenticationMethod: AuthenticationMethod.TLS_CLIENT,
        tlsClientSubject: `uri:${uri}`,
      })
      await mintWith(issued([`URI:${ID}`, `URI:${uri}`]), { clientId: client.clientId })
    })

    it('§3.2 a CA certificate, and a key that may not sign or may sign certificates, are not accepted', async () => {
      const leaf = 'basicConstraints = critical, CA:FALSE'
      await expectRefused({
        'a CA': issued(
          [`URI:${ID}`],
          ['basicConstraints = critical, CA:TRUE', 'keyUsage = critical, digitalSignature'],
        ),
        'keyAgreement only': issued([`URI:${ID}`], [leaf, 'keyUsage = critical, keyAgreement']),
        keyCertSign: issued([`URI:${ID}`], [leaf, 'keyUsage = critical, digitalSignature, keyCertSign']),
        cRLSign: issued([`URI:${ID}`], [leaf, 'keyUsage = critical, digitalSignature, cRLSign']),
      })
    })

    it('§3.2 a client is registered only with the SPIFFE ID of a workload', async () => {
      for (const id of ['spiffe://shop.example', 'spiffe://Shop.example/orders', 'SPIFFE://shop.example/orders']) {
        expect(await refusalOf(svidClient(id))).toMatchObject({
          reason: 'REGISTRATION_INVALID_CLIENT_METADATA',
          violations: ['tls_client_subject'],
        })
      }
    })
  },
  {
    channel: channelOf(root),
    variables: {
      ...LIMITS_OFF,
      QSCOPE_TLS_CERT_FILE: serving.certFile,
      QSCOPE_TLS_KEY_FILE: serving.keyFile,
      QSCOPE_TLS_CLIENT_CA_FILE: root.certFile,
    },
  },
)
