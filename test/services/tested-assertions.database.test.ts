import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { AssertionUse, TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { type Claims, inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { refusalOf } from '../setup/client.ts'
import { jwtPlatform, workload } from '../setup/federated.ts'
import { SILENT, trustedIssuers } from '../setup/trusted-issuers.ts'

const issuers = await trustedIssuers(suiteFolder())
const OPTIONS = { variables: { ...LIMITS_OFF, QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file } }

onEveryBackend(
  'TestAssertion',
  (server) => {
    const bearer = () => ({ bearer: server.admin.token })
    const tested = (assertion: string, use: AssertionUse = AssertionUse.CLIENT_AUTHENTICATION) =>
      server.call(TrustService.method.testAssertion, { assertion, use }, bearer())
    /** The check that failed, which is the last, with a detail and a fix. */
    const failedCheck = async (assertion: string, use: AssertionUse = AssertionUse.CLIENT_AUTHENTICATION) => {
      const { verdict, checks } = await tested(assertion, use)
      const last = checks.at(-1)
      expect(checks.slice(0, -1).every(({ passed }) => passed)).toBe(true)
      expect(checks.every(({ detail }) => detail !== '')).toBe(true)
      expect(verdict).toBe(last?.passed ? Verdict.ACCEPTED : Verdict.REFUSED)
      if (last?.passed === false) expect(last.fix).not.toBe('')
      return last?.passed === false ? last.name : null
    }

    it('names the client of an accepted assertion, and the failed check of a refused one', async () => {
      const platform = await jwtPlatform(server)
      const { clientId, subject, assertion, mintWith } = await workload(server, platform, {
        requiredClaims: { namespace: 'shop' },
      })
      const good = { namespace: 'shop' }
      const answer = await tested(await assertion(good))
      expect(answer).toMatchObject({ verdict: Verdict.ACCEPTED, issuer: platform.issuer, subject, clientId })
      const stranger = signingPair('RS256', platform.pair.kid)
      const broken: readonly (readonly [string, string])[] = [
        ['garbage', 'assertion_is_readable'],
        [await assertion({ iss: 'https://nobody.example' }), 'issuer_is_trusted'],
        [await assertion({ iss: server.issuer }), 'issuer_is_trusted'],
        [await assertion({}, { typ: 'at+jwt' }), 'header_is_allowed'],
        [await assertion({ iss: SILENT }), 'issuer_keys_are_available'],
        [await signed(stranger, { iss: platform.issuer, sub: 'x', aud: 'y', exp: 1 }), 'signature_is_genuine'],
        [await assertion({ aud: [server.issuer, 'x'] }), 'audience_is_this_server'],
        [await assertion({ exp: inSeconds(-1) }), 'assertion_is_timely'],
        [await assertion({ iat: undefined }), 'lifetime_is_allowed'],
        [await assertion({ sub: 'somebody' }), 'client_has_identity'],
        [await assertion({ namespace: 'shops' }), 'required_claims_hold'],
      ]
      for (const [text, name] of broken) {
        expect(await failedCheck(text)).toBe(name)
        expect((await refusalOf(mintWith(text))).reason).toMatch(/^OAUTH_(INVALID_CLIENT|TEMPORARILY_UNAVAILABLE)$/)
      }
      await server.call(ClientService.method.disableClient, { clientId }, bearer())
      expect(await failedCheck(await assertion(good))).toBe('client_is_enabled')
    })

    it('does not use up a single-use assertion, and reports a used one', async () => {
      const platform = await jwtPlatform(server, { singleUse: true })
      const { assertion, mintWith } = await workload(server, platform)
      expect(await failedCheck(await assertion())).toBe('assertion_id_is_present')
      const once = await assertion({ jti: randomUUID() })
      for (let time = 0; time < 2; time += 1) expect(await failedCheck(once)).toBeNull()
      await mintWith(once)
      expect(await failedCheck(once)).toBe('assertion_is_unused')
    })

    it('reports the client and scopes of an assertion as a grant', async () => {
      const pair = signingPair('ES256')
      const issuer = `https://${randomUUID()}.example`
      const { clientId } = await server.registerClient({ grantTypes: [GrantType.JWT_BEARER], scopes: ['a', 'b'] })
      const rule = { claims: { sub: 'job' }, clientId, scopes: ['b', 'c'], tokenClaims: { team: 'claims.team' } }
      const plain = await server.registerClient({ scopes: ['a'] })
      const rules = [rule, { claims: { sub: 'other' }, clientId: plain.clientId, scopes: ['a'] }]
      await server.call(
        TrustService.method.createTrustedIssuer,
        { trustedIssuer: { issuer, keys: { case: 'jwks', value: jwksOf(pair) }, rules } },
        bearer(),
      )
      const grant = (more: Claims = {}) =>
        signed(pair, { iss: issuer, sub: 'job', aud: server.issuer, exp: inSeconds(60), team: 'blue', ...more })
      const answer = await tested(await grant(), AssertionUse.AUTHORIZATION_GRANT)
      expect(answer).toMatchObject({
        verdict: Verdict.ACCEPTED,
        clientId,
        scopes: ['b'],
        tokenClaims: { team: 'blue' },
      })
      const asGrant = async (more: Claims) => await failedCheck(await grant(more), AssertionUse.UNSPECIFIED)
      expect(await asGrant({ sub: 'nobody' })).toBe('assertion_stands_for_client')
      expect(await asGrant({ sub: 'other' })).toBe('grant_is_allowed')
      expect(await asGrant({ exp: inSeconds(7_200) })).toBe('assertion_is_timely')
    })

    it('requires the permission to read issuers, and writes nothing', async () => {
      const { client } = await server.registerClient({ scopes: ['qscope:clients.read'] })
      const { token } = await server.call(TokenService.method.mintToken, { client })
      const refused = await refusalOf(
        server.call(TrustService.method.testAssertion, { assertion: 'x' }, { bearer: token?.accessToken ?? '' }),
      )
      expect(refused).toMatchObject({ reason: 'OAUTH_INSUFFICIENT_SCOPE' })
    })
  },
  OPTIONS,
)
