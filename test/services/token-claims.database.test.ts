import { decodeJwt } from 'jose'
import { expect, it } from 'vitest'
import { AccessTokenFormat, GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { Verdict } from '../../src/gen/qscope/v1/explanation_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { inSeconds, jwksOf, signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'

const { batchIntrospectTokens, exchangeAssertion, exchangeToken, explainToken, introspectToken, verifyToken } =
  TokenService.method
const { createTrustedIssuer, updateTrustedIssuer } = TrustService.method
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const pair = signingPair('ES256')

onEveryBackend('claims that the rule of a trusted issuer gives a token', (server) => {
  const admin = () => ({ bearer: server.admin.token })
  let issuers = 0

  /** Trusts another issuer, with one rule for a new client. */
  async function trust(rule: object, format: AccessTokenFormat = AccessTokenFormat.OPAQUE) {
    issuers += 1
    const issuer = `https://ci-${issuers}.example`
    const { clientId } = await server.registerClient({
      grantTypes: [GrantType.JWT_BEARER, GrantType.TOKEN_EXCHANGE, GrantType.CLIENT_CREDENTIALS],
      scopes: ['read', 'write'],
      audiences: ['stock'],
      config: { accessTokenFormat: format },
    })
    const trustedIssuer = {
      issuer,
      keys: { case: 'jwks' as const, value: jwksOf(pair) },
      rules: [{ claims: { sub: 'job' }, clientId, scopes: ['read', 'write'], ...rule }],
    }
    await server.call(createTrustedIssuer, { trustedIssuer }, admin())
    const assertion = (claims: object = {}) =>
      signed(pair, { iss: issuer, sub: 'job', aud: server.issuer, exp: inSeconds(300), ...claims })
    const exchange = async (claims: object = {}, more: object = {}) => {
      const { token } = await server.call(exchangeAssertion, { assertion: await assertion(claims), ...more })
      return { token: token?.accessToken ?? '', scopes: token?.scopes ?? [] }
    }
    return { clientId, trustedIssuer, assertion, exchange }
  }

  /** What the log says about expressions of the issuer that could not be evaluated. */
  const evaluationProblems = ({ issuer }: { readonly issuer: string }) =>
    server.lines
      .filter((line) => line['msg'] === 'a rule of a trusted issuer cannot be evaluated' && line['issuer'] === issuer)
      .map((line) => line['problem'])

  const MAPPING = {
    tokenClaims: {
      repository: 'claims.repository',
      build: '{"attempt": int(claims.run_attempt), "labels": claims.labels, "ratio": 0.5, "none": null, "ok": true}',
    },
  }
  const CLAIMS = { repository: 'octo/shop', run_attempt: '2', labels: ['ä', ''] }
  const EXTRA = {
    repository: 'octo/shop',
    build: { attempt: 2, labels: ['ä', ''], ratio: 0.5, none: null, ok: true },
  }

  it('are in every answer about it', async () => {
    const { exchange } = await trust(MAPPING)
    const { token } = await exchange(CLAIMS)
    const { claims } = await server.call(introspectToken, { token }, admin())
    expect(claims?.extra).toEqual(EXTRA)
    expect((await server.call(verifyToken, { token }, admin())).claims?.extra).toEqual(EXTRA)
    const { results } = await server.call(batchIntrospectTokens, { tokens: [token, 'unknown'] }, admin())
    expect(results.map((each) => each.claims?.extra)).toEqual([EXTRA, undefined])
    const { verdict } = await server.call(explainToken, { token }, admin())
    expect(verdict).toBe(Verdict.ACCEPTED)
  })

  it("are next to a JWT's own claims, which take precedence", async () => {
    const { clientId, exchange } = await trust(MAPPING, AccessTokenFormat.JWT)
    const { token } = await exchange(CLAIMS)
    expect(decodeJwt(token)).toMatchObject({ ...EXTRA, iss: server.issuer, sub: clientId, client_id: clientId })
    expect((await server.call(introspectToken, { token }, admin())).claims?.extra).toEqual(EXTRA)
  })

  it('are not in other tokens of the client, nor in what is exchanged for it', async () => {
    const { clientId, exchange } = await trust(MAPPING)
    const { token } = await exchange(CLAIMS)
    const service = await server.registerClient({
      grantTypes: [GrantType.TOKEN_EXCHANGE],
      scopes: ['read'],
      audiences: ['stock'],
    })
    const exchanged = await server.call(exchangeToken, {
      client: service.client,
      subjectToken: token,
      subjectTokenType: TOKEN_TYPE,
    })
    const { claims } = await server.call(introspectToken, { token: exchanged.token?.accessToken ?? '' }, admin())
    expect(claims?.subject).toBe(clientId)
    expect(claims?.extra).toBeUndefined()
  })

  it('select the client and scopes of an assertion', async () => {
    const { exchange } = await trust({
      claims: {},
      condition: 'claims.repository_owner == "octo"',
      scopesExpression: 'claims.ref == "refs/heads/main" ? ["read", "write", "qscope:clients.write"] : ["read"]',
    })
    const main = { repository_owner: 'octo', ref: 'refs/heads/main' }
    expect((await exchange(main)).scopes.toSorted()).toEqual(['read', 'write'])
    expect((await exchange({ ...main, ref: 'refs/heads/topic' })).scopes).toEqual(['read'])
    const asked = exchange({ ...main, ref: 'refs/heads/topic' }, { scopes: ['write'] })
    expect((await refusalOf(asked)).reason).toBe('OAUTH_INVALID_SCOPE')
    expect((await refusalOf(exchange({ ...main, repository_owner: 'evil' }))).reason).toBe('OAUTH_INVALID_GRANT')
  })

  it('select the client of an assertion among those of two rules', async () => {
    const [{ clientId, trustedIssuer, exchange }, other] = [await trust({}), await trust({})]
    const [rule] = trustedIssuer.rules
    const rules = [
      { ...rule, condition: 'claims.environment == "production"' },
      { ...rule, condition: 'claims.environment in ["staging", "production"]', clientId: other.clientId },
    ]
    await server.call(
      updateTrustedIssuer,
      { trustedIssuer: { ...trustedIssuer, rules }, updateMask: { paths: ['rules'] } },
      admin(),
    )
    const clientFor = async (environment: string) => {
      const { token } = await exchange({ environment })
      return (await server.call(introspectToken, { token }, admin())).claims?.clientId
    }
    expect(await clientFor('staging')).toBe(other.clientId)
    // The first rule that applies.
    expect(await clientFor('production')).toBe(clientId)
    expect((await refusalOf(exchange({ environment: 'test' }))).reason).toBe('OAUTH_INVALID_GRANT')
  })

  it('refuse an assertion if they cannot be evaluated, without details', async () => {
    const { exchange, assertion } = await trust({ tokenClaims: { team: 'claims.team' } })
    const missing = await refusalOf(exchange())
    const forged = await refusalOf(server.call(exchangeAssertion, { assertion: `${await assertion()}A` }))
    expect([missing.reason, missing.message]).toEqual([forged.reason, forged.message])
    expect(missing.reason).toBe('OAUTH_INVALID_GRANT')
    const large = await refusalOf(exchange({ team: 'x'.repeat(3_000) }))
    expect(large.reason).toBe('OAUTH_INVALID_GRANT')
    const bomb = await trust({ condition: 'claims.a.all(x, claims.a.all(y, x == y))' })
    const claims = { a: new Array(256).fill(1) }
    expect((await refusalOf(bomb.exchange(claims))).reason).toBe('OAUTH_INVALID_GRANT')
    expect(evaluationProblems(bomb.trustedIssuer)).toEqual([
      'rules[0].condition: exceeds the step limit of an evaluation',
    ])
    expect((await bomb.exchange({ a: [1, 1] })).token).not.toBe('')
  })

  it('are checked when the issuer is written, with the path of the expression', async () => {
    const { trustedIssuer } = await trust({})
    const rule = {
      ...trustedIssuer.rules[0],
      condition: 'claims.sub = "a"',
      scopesExpression: 'claims.a.map(g, g == "x")',
      tokenClaims: {
        act: '"x"',
        costly: 'claims.a.map(x, x.map(y, y.map(z, z)))',
        rvk: '[]',
        qscope_x: '1',
        team: 'team',
      },
    }
    const refused = await refusalOf(
      server.call(
        updateTrustedIssuer,
        { trustedIssuer: { ...trustedIssuer, rules: [rule] }, updateMask: { paths: ['rules'] } },
        admin(),
      ),
    )
    expect(refused.reason).toBe('OAUTH_INVALID_REQUEST')
    expect(refused.violations).toEqual([
      'trusted_issuer.rules[0].condition',
      'trusted_issuer.rules[0].scopes_expression',
      'trusted_issuer.rules[0].token_claims["act"]',
      'trusted_issuer.rules[0].token_claims["costly"]',
      'trusted_issuer.rules[0].token_claims["qscope_x"]',
      'trusted_issuer.rules[0].token_claims["rvk"]',
      'trusted_issuer.rules[0].token_claims["team"]',
    ])
  })
})
