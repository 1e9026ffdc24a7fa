import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { type Claims, inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { jwtPlatform, workload } from '../setup/federated.ts'
import { ASSERTION_TYPE, formsOn, GRANT_TYPES, HTTP_PORT } from '../setup/forms.ts'
import type { TestServer } from '../setup/server.ts'

const { exchangeAssertion, mintToken } = TokenService.method

/** Signs an assertion with other claims or another header than the default ones. */
type Asserts = (claims?: Claims, header?: Claims) => Promise<string>
interface Asserting {
  readonly clientId: string
  readonly assertion: Asserts
}

/** The methods of client authentication by a JWT: the client's own key, and the assertion of its platform. */
const METHODS: readonly (readonly [string, (server: TestServer) => Promise<Asserting>])[] = [
  [
    'private_key_jwt',
    async (server) => {
      const pair = signingPair('ES256')
      const { clientId } = await server.registerClient({
        authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT,
        jwks: jwksOf(pair),
      })
      const claims = () => ({
        iss: clientId,
        sub: clientId,
        aud: server.issuer,
        jti: randomUUID(),
        exp: inSeconds(60),
      })
      return { clientId, assertion: (more = {}, header = {}) => signed(pair, { ...claims(), ...more }, header) }
    },
  ],
  ['a federated JWT', async (server) => await workload(server, await jwtPlatform(server))],
]

onEveryBackend(
  'draft-ietf-oauth-rfc7523bis',
  (server) => {
    const forms = formsOn(server)
    const mint = ({ clientId }: Asserting, value: string) =>
      server.call(mintToken, { client: { clientId, method: { case: 'clientAssertion', value } } })
    const mintByForm = (value: string) =>
      forms.token({
        grant_type: GRANT_TYPES.clientCredentials,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: value,
      })

    describe.each(METHODS)('§4 client authentication by %s', (_method, register) => {
      it('§4 aud is the issuer alone, as a string or as the only item of a list', async () => {
        const client = await register(server)
        const { issuer } = server
        for (const aud of [issuer, [issuer]]) await mint(client, await client.assertion({ aud }))
      })

      it('§4 the URL of an endpoint, and the issuer beside another value, are refused as aud', async () => {
        const client = await register(server)
        const { issuer, httpUrl } = server
        const token = `${httpUrl}/oauth2/token`
        const refused = [
          token,
          `${issuer}/oauth2/token`,
          `${httpUrl}/oauth2/introspect`,
          [token],
          [issuer, token],
          [token, issuer],
        ]
        for (const aud of refused) {
          const { status, reason } = await refusalOf(mint(client, await client.assertion({ aud })))
          expect([aud, status, reason]).toEqual([aud, 'UNAUTHENTICATED', 'OAUTH_INVALID_CLIENT'])
          const answer = await mintByForm(await client.assertion({ aud }))
          expect([aud, answer.status, answer.body['error']]).toEqual([aud, 401, 'invalid_client'])
        }
      })

      it('§4 aud is compared character by character', async () => {
        const client = await register(server)
        const { issuer } = server
        for (const aud of [`${issuer}/`, issuer.toUpperCase(), issuer.replace('http://', ''), ` ${issuer}`]) {
          const { reason } = await refusalOf(mint(client, await client.assertion({ aud })))
          expect([aud, reason]).toEqual([aud, 'OAUTH_INVALID_CLIENT'])
        }
      })

      it('§4 an assertion may be typed client-authentication+jwt or JWT or not at all, and no other way', async () => {
        const client = await register(server)
        const types = [undefined, 'JWT', 'client-authentication+jwt', 'application/client-authentication+jwt']
        for (const typ of types) await mint(client, await client.assertion({}, { typ }))
        for (const typ of ['authorization-grant+jwt', 'at+jwt', 'oauth-authz-req+jwt', 'dpop+jwt', '']) {
          const { reason } = await refusalOf(mint(client, await client.assertion({}, { typ })))
          expect([typ, reason]).toEqual([typ, 'OAUTH_INVALID_CLIENT'])
        }
      })
    })

    it('§4 the aud of an authorization grant is the issuer, or the one value that its trusted issuer is registered with', async () => {
      const token = `${server.httpUrl}/oauth2/token`
      const { clientId } = await server.registerClient({ scopes: ['a'], grantTypes: [GrantType.JWT_BEARER] })
      const cases = [
        { audience: '', accepted: server.issuer, refused: token },
        { audience: token, accepted: token, refused: server.issuer },
      ]
      for (const { audience, accepted, refused } of cases) {
        const { issuer, pair } = await jwtPlatform(server, { audience })
        const sub = randomUUID()
        const rules = [{ claims: { sub }, clientId, scopes: ['a'] }]
        await server.call(
          TrustService.method.updateTrustedIssuer,
          { trustedIssuer: { issuer, rules }, updateMask: { paths: ['rules'] } },
          { bearer: server.admin.token },
        )
        const exchange = async (aud: string | string[]) =>
          server.call(exchangeAssertion, {
            assertion: await signed(pair, { iss: issuer, sub, aud, iat: inSeconds(0), exp: inSeconds(60) }),
          })
        expect((await exchange(accepted)).token?.scopes).toEqual(['a'])
        for (const aud of [refused, [accepted, refused]]) {
          expect((await refusalOf(exchange(aud))).reason).toBe('OAUTH_INVALID_GRANT')
        }
      }
    })

    it('§4 the audience of the trusted issuer has no effect on client authentication', async () => {
      const audience = `${server.httpUrl}/oauth2/token`
      const client = await workload(server, await jwtPlatform(server, { audience }))
      await mint(client, await client.assertion({ aud: server.issuer }))
      expect((await refusalOf(mint(client, await client.assertion({ aud: audience })))).reason).toBe(
        'OAUTH_INVALID_CLIENT',
      )
    })
  },
  { variables: { ...LIMITS_OFF, ...HTTP_PORT } },
)
