import { createHmac, createPublicKey, randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { AccessTokenFormat, AuthenticationMethod, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { ALGORITHMS, type Claims, inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { refusalOf } from '../setup/client.ts'
import { jwtPlatform, spiffePlatform, workload } from '../setup/federated.ts'
import { ASSERTION_TYPE, formsOn, HTTP_PORT } from '../setup/forms.ts'
import { ACCESS_TOKEN_TYPE } from '../setup/grants.ts'
import { SILENT, trustedIssuers } from '../setup/trusted-issuers.ts'

const { introspectToken, mintToken, verifyToken, revokeToken, exchangeToken } = TokenService.method
const issuers = await trustedIssuers(suiteFolder())
const OPTIONS = { variables: { ...LIMITS_OFF, ...HTTP_PORT, QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file } }
const SPIFFE_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe'
const CLOUD = 'https://cloud.example'
const TOKEN_EXCHANGE = { grantTypes: [GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE] }

/** A JWT without a library, for headers that libraries refuse to sign. */
function forged(header: Claims, claims: Claims, sign: (input: string) => string = () => ''): string {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${sign(input)}`
}

onEveryBackend(
  'RFC 7523, client authentication by the assertion of a platform',
  (server) => {
    const bearer = () => ({ bearer: server.admin.token })
    const forms = formsOn(server)
    const form = (assertion: string, type = ASSERTION_TYPE) => ({
      client_assertion: assertion,
      client_assertion_type: type,
    })
    const expectRefused = async (calls: readonly [what: unknown, call: Promise<unknown>][]) => {
      for (const [what, call] of calls) {
        const { status, reason } = await refusalOf(call)
        expect([what, status, reason]).toEqual([what, 'UNAUTHENTICATED', 'OAUTH_INVALID_CLIENT'])
      }
    }

    // The first test of this suite, because repeated failures from one address are not recorded.
    it('§3.2 failures are invalid_client like those of an unknown client, and audited', async () => {
      const { clientId, assertion, proof, mintWith } = await workload(server, await jwtPlatform(server))
      const good = await assertion()
      const refused = await refusalOf(mintWith(await assertion({ aud: 'https://other.example' })))
      const unknown = await refusalOf(server.call(mintToken, { client: { ...proof(good), clientId: 'nobody-here' } }))
      expect([refused.status, refused.reason, refused.message]).toEqual([
        unknown.status,
        unknown.reason,
        unknown.message,
      ])
      await server.flush()
      const events = await server.auditEvents({ clientId, eventTypes: ['client.authentication_failed'] })
      expect(events).toHaveLength(1)
    })

    it.each(ALGORITHMS)(
      '§2.2 authenticates a client by an assertion that its platform signed with %s',
      async (algorithm) => {
        const platform = await jwtPlatform(server, {}, signingPair(algorithm))
        const { clientId, assertion, mintWith } = await workload(server, platform)
        const { token } = await mintWith(await assertion())
        const answer = await server.call(introspectToken, {
          client: server.admin.client,
          token: token?.accessToken ?? '',
        })
        expect(answer.claims).toMatchObject({ clientId, subject: clientId, scopes: ['orders.read'] })
      },
    )

    it('§2.2 accepts the same assertion repeatedly, in every call with client authentication, over gRPC and forms', async () => {
      const platform = await jwtPlatform(server)
      const registration = { ...TOKEN_EXCHANGE, resourceAudiences: [`https://${randomUUID()}.example`] }
      const { clientId, assertion, proof, mintWith } = await workload(server, platform, registration)
      const own = await assertion()
      const client = proof(own)
      const token = (await mintWith(own)).token?.accessToken ?? ''
      expect((await server.call(verifyToken, { client, token })).claims?.clientId).toBe(clientId)
      expect((await server.call(introspectToken, { client, token })).active).toBe(true)
      const exchanged = await server.call(exchangeToken, {
        client,
        subjectToken: token,
        subjectTokenType: ACCESS_TOKEN_TYPE,
      })
      expect(exchanged.token?.accessToken).not.toBe('')
      const explained = await server.call(TokenService.method.explainToken, { client, token })
      expect(explained.checks.every(({ passed }) => passed)).toBe(true)

      const minted = await forms.token({ grant_type: 'client_credentials', client_id: clientId, ...form(own) })
      expect([minted.status, minted.body['token_type']]).toEqual([200, 'Bearer'])
      const introspected = await forms.introspect({ token, client_id: clientId, ...form(own) })
      expect(introspected.body).toMatchObject({ active: true, client_id: clientId })
      expect((await forms.revoke({ token, client_id: clientId, ...form(own) })).status).toBe(200)
      expect((await server.call(introspectToken, { client, token })).active).toBe(false)
      await server.call(revokeToken, { client, token: exchanged.token?.accessToken ?? '' })
    })

    it('§2.2 client_id is optional in a form, because issuer and subject identify the client', async () => {
      const { clientId, assertion } = await workload(server, await jwtPlatform(server))
      const { status, body } = await forms.token({ grant_type: 'client_credentials', ...form(await assertion()) })
      expect(status).toBe(200)
      const request = { client: server.admin.client, token: String(body['access_token']) }
      expect((await server.call(introspectToken, request)).claims?.clientId).toBe(clientId)
      const stranger = await forms.token({
        grant_type: 'client_credentials',
        ...form(await assertion({ sub: 'system:serviceaccount:shop:stranger' })),
      })
      expect([stranger.status, stranger.body['error']]).toEqual([401, 'invalid_client'])
    })

    it('§2.2 refuses every method but the registered one', async () => {
      const platform = await jwtPlatform(server)
      const { clientId, assertion, proof } = await workload(server, platform)
      const other = await server.registerClient({})
      const own = proof(await assertion())
      const attempts = [
        { clientId },
        { clientId, method: { case: 'clientSecret' as const, value: 'x' } },
        { ...own, clientId: other.clientId },
      ]
      for (const client of attempts) await expectRefused([[client, server.call(mintToken, { client })]])
    })

    it('§3 an assertion is refused for another issuer, subject or audience, or none', async () => {
      const platform = await jwtPlatform(server)
      const { clientId, subject, assertion, mintWith } = await workload(server, platform)
      const neighbour = await workload(server, platform)
      const broken: readonly Claims[] = [
        { iss: 'https://somebody.example' },
        { iss: clientId },
        { iss: server.issuer },
        { iss: undefined },
        { iss: `${platform.issuer}/` },
        { sub: undefined },
        { sub: clientId },
        { sub: `${subject}x` },
        { sub: subject.toUpperCase() },
        { sub: neighbour.subject },
        { aud: undefined },
        { aud: [] },
        { aud: clientId },
        { aud: `${server.issuer}/` },
        { aud: [server.issuer, 'https://other.example'] },
        { aud: ['https://other.example', server.issuer] },
        { aud: [server.issuer, server.issuer] },
      ]
      for (const more of broken) await expectRefused([[more, mintWith(await assertion(more))]])
      await mintWith(await assertion({ aud: server.issuer }))
    })

    it('§3 an assertion requires iat and exp within an hour of it, and is refused before nbf and after exp', async () => {
      const { assertion, mintWith } = await workload(server, await jwtPlatform(server))
      const broken: readonly Claims[] = [
        { exp: undefined },
        { exp: 'soon' },
        { exp: inSeconds(-1) },
        { iat: undefined },
        { iat: inSeconds(-10), exp: inSeconds(3_591) },
        { exp: inSeconds(3_601), iat: inSeconds(0) },
        { exp: inSeconds(7_200), iat: inSeconds(3_600) },
        { iat: inSeconds(60) },
        { nbf: inSeconds(60) },
      ]
      for (const more of broken) await expectRefused([[more, mintWith(await assertion(more))]])
      await mintWith(await assertion({ iat: inSeconds(-3_000), exp: inSeconds(600) }))
    })

    it('§3 an assertion is refused unless it is signed with a key of the platform and the algorithm of that key', async () => {
      const platform = await jwtPlatform(server)
      const other = await jwtPlatform(server)
      const { claims, mintWith, assertion } = await workload(server, platform)
      const { pair } = platform
      const secret = createPublicKey(pair.privateKey).export({ format: 'pem', type: 'spki' })
      const attacks = [
        await signed(other.pair, claims()),
        await signed({ ...other.pair, kid: pair.kid }, claims()),
        await signed({ ...pair, algorithm: 'PS256' }, claims()),
        await signed(signingPair('RS256', pair.kid), claims(), { jwk: pair.publicJwk }),
        forged({ alg: 'none', kid: pair.kid }, claims()),
        forged({ alg: 'HS256', kid: pair.kid }, claims(), (input) =>
          createHmac('sha256', secret).update(input).digest('base64url'),
        ),
        `${await assertion()} `,
        'a.b.c',
        'garbage',
      ]
      for (const value of attacks) await expectRefused([[value, mintWith(value)]])
    })

    it('§3 an assertion is refused if its typ is that of another kind of token', async () => {
      const { assertion, mintWith } = await workload(server, await jwtPlatform(server))
      for (const typ of ['at+jwt', 'authorization-grant+jwt', 'token-introspection+jwt', 'txntoken+jwt', 'JOSE']) {
        await expectRefused([[typ, mintWith(await assertion({}, { typ }))]])
      }
      for (const typ of ['JWT', 'client-authentication+jwt']) await mintWith(await assertion({}, { typ }))
    })

    it('§3 identity tokens of this server are refused as assertions', async () => {
      const { client } = await server.registerClient({
        audiences: [CLOUD],
        config: { accessTokenFormat: AccessTokenFormat.IDENTITY_JWT },
      })
      const { token } = await server.call(mintToken, { client, audiences: [CLOUD] })
      const { mintWith } = await workload(server, await jwtPlatform(server))
      await expectRefused([['own', mintWith(token?.accessToken ?? '')]])
    })

    it('§3 required claims must match exactly, or match one item of a list', async () => {
      const { assertion, mintWith } = await workload(server, await jwtPlatform(server), {
        requiredClaims: { '/kubernetes.io/namespace': 'shop', groups: 'blue*' },
      })
      const good = { 'kubernetes.io': { namespace: 'shop' }, groups: ['red', 'blue*'] }
      await mintWith(await assertion(good))
      const broken: readonly Claims[] = [
        {},
        { groups: ['blue*'] },
        { 'kubernetes.io': { namespace: 'shop' } },
        { ...good, groups: ['blue', 'bluer'] },
        { ...good, 'kubernetes.io': { namespace: 'shops' } },
        { ...good, 'kubernetes.io': undefined, '/kubernetes.io/namespace': 'shop' },
      ]
      for (const more of broken) await expectRefused([[more, mintWith(await assertion(more))]])
    })

    it('§3 a jti is required and accepted once if the issuer is registered with single_use', async () => {
      const { assertion, mintWith } = await workload(server, await jwtPlatform(server, { singleUse: true }))
      await expectRefused([['none', mintWith(await assertion())]])
      const once = await assertion({ jti: randomUUID() })
      const answers = await Promise.allSettled(Array.from({ length: 5 }, () => mintWith(once)))
      expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      await expectRefused([['again', mintWith(once)]])
      const reusable = await workload(server, await jwtPlatform(server))
      const twice = await reusable.assertion({ jti: randomUUID() })
      await reusable.mintWith(twice)
      await reusable.mintWith(twice)
    })

    it('§3 a change of the client or of the issuer takes effect in the next call', async () => {
      const platform = await jwtPlatform(server)
      const { clientId, subject, assertion, mintWith } = await workload(server, platform)
      const own = await assertion()
      await mintWith(own)
      const update = (identity: string) =>
        server.call(
          ClientService.method.updateClient,
          {
            client: { clientId, federatedIdentities: [{ issuer: platform.issuer, subject: identity }] },
            updateMask: { paths: ['federated_identities'] },
          },
          bearer(),
        )
      await update('somebody-else')
      await expectRefused([['another subject', mintWith(own)]])
      await update(subject)
      await mintWith(own)
      await server.call(TrustService.method.deleteTrustedIssuer, { issuer: platform.issuer }, bearer())
      await expectRefused([['an issuer that is not trusted', mintWith(own)]])
    })

    it('an existing and an unknown client get the same refusal while the keys cannot be fetched', async () => {
      const pair = signingPair('ES256')
      const { proof, assertion } = await workload(server, { issuer: SILENT, pair })
      const own = await assertion()
      for (const client of [proof(own), { ...proof(own), clientId: 'nobody-here' }]) {
        const refused = await refusalOf(server.call(mintToken, { client }))
        expect([refused.status, refused.reason]).toEqual(['UNAVAILABLE', 'OAUTH_TEMPORARILY_UNAVAILABLE'])
      }
    })

    it('JWT-SVID: the trust domain of the subject selects the keys, with any iss or none', async () => {
      const { trustDomain, ...domain } = await spiffePlatform(server)
      const subject = `${domain.issuer}/ns/shop/sa/orders`
      const { clientId, assertion, mintWith } = await workload(server, domain, { subject })
      for (const iss of [undefined, 'https://spire.example', domain.issuer]) await mintWith(await assertion({ iss }))
      for (const typ of ['JWT', 'JOSE']) await mintWith(await assertion({}, { typ }))
      const fields = { grant_type: 'client_credentials', client_id: clientId }
      const minted = await forms.token({ ...fields, ...form(await assertion({ iss: undefined }), SPIFFE_TYPE) })
      expect(minted.status).toBe(200)
      const other = await spiffePlatform(server)
      const broken: readonly (readonly [Claims, Claims])[] = [
        [{ sub: `spiffe://${trustDomain}` }, {}],
        [{ sub: `${other.issuer}/ns/shop/sa/orders` }, {}],
        [{ sub: `${domain.issuer}/ns/shop/sa/orders/` }, {}],
        [{ sub: `${domain.issuer}/ns/shop/sa/other` }, {}],
        [{ iss: domain.issuer, sub: 'orders' }, {}],
        [{ aud: [server.issuer, 'x'] }, {}],
        [{ exp: undefined }, {}],
        [{}, { typ: 'client-authentication+jwt' }],
        [{}, { typ: 'at+jwt' }],
        [{}, { kid: undefined }],
      ]
      for (const [claims, header] of broken) {
        await expectRefused([[[claims, header], mintWith(await assertion(claims, header))]])
      }
    })

    it('JWT-SVID §2.1 is refused if it is signed with EdDSA', async () => {
      const eddsa = await spiffePlatform(server, signingPair('EdDSA'))
      const { assertion, mintWith } = await workload(server, eddsa, { subject: `${eddsa.issuer}/x` })
      await expectRefused([['EdDSA', mintWith(await assertion())]])
    })

    it('RFC 7591 §2 a client may publish its keys, only at a public https URL', async () => {
      const register = (more: { jwks?: string; jwksUri?: string }) =>
        server.registerClient({ authenticationMethod: AuthenticationMethod.PRIVATE_KEY_JWT, ...more })
      for (const jwksUri of ['http://keys.example/jwks', 'https://user@keys.example/jwks', 'https://keys.example/#x']) {
        expect(await refusalOf(register({ jwksUri }))).toMatchObject({
          reason: 'REGISTRATION_INVALID_CLIENT_METADATA',
          violations: ['jwks_uri'],
        })
      }
      const both = await refusalOf(register({ jwksUri: 'https://keys.example/', jwks: jwksOf(signingPair('ES256')) }))
      expect(both.violations).toEqual(['jwks_uri'])
      const { clientId } = await register({ jwksUri: 'https://127.0.0.1/jwks' })
      const pair = signingPair('ES256')
      const claims = { iss: clientId, sub: clientId, aud: server.issuer, jti: randomUUID(), exp: inSeconds(60) }
      const client = { clientId, method: { case: 'clientAssertion' as const, value: await signed(pair, claims) } }
      const unread = await refusalOf(server.call(mintToken, { client }))
      expect([unread.status, unread.reason]).toEqual(['UNAVAILABLE', 'OAUTH_TEMPORARILY_UNAVAILABLE'])
    })
  },
  OPTIONS,
)
