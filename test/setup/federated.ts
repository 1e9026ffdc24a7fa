import { randomUUID } from 'node:crypto'
import { AuthenticationMethod } from '../../src/gen/qscope/v1/client_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type TrustedIssuer, TrustedIssuerKind, TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { type Claims, inSeconds, jwksOf, type SigningPair, signed, signingPair } from './assertions.ts'
import type { TestServer } from './server.ts'

/** A platform whose assertions authenticate clients, with its signing key. */
export interface Platform {
  /** The name of its trusted issuer. */
  readonly issuer: string
  readonly pair: SigningPair
}

/** Trusts an issuer of JWTs, such as a cluster. */
export async function jwtPlatform(
  server: TestServer,
  more: Partial<Pick<TrustedIssuer, 'singleUse' | 'audience'>> = {},
  pair = signingPair('RS256'),
): Promise<Platform> {
  const issuer = `https://${randomUUID()}.example`
  await server.call(
    TrustService.method.createTrustedIssuer,
    { trustedIssuer: { issuer, keys: { case: 'jwks', value: jwksOf(pair) }, ...more } },
    { bearer: server.admin.token },
  )
  return { issuer, pair }
}

/** Trusts a SPIFFE trust domain. */
export async function spiffePlatform(server: TestServer, pair = signingPair('ES256')) {
  const trustDomain = `${randomUUID()}.example`
  const issuer = `spiffe://${trustDomain}`
  const jwks = JSON.stringify({ keys: [{ ...pair.publicJwk, use: 'jwt-svid' }], spiffe_sequence: 1 })
  await server.call(
    TrustService.method.createTrustedIssuer,
    { trustedIssuer: { issuer, kind: TrustedIssuerKind.SPIFFE, trustDomain, keys: { case: 'jwks', value: jwks } } },
    { bearer: server.admin.token },
  )
  return { issuer, pair, trustDomain }
}

/** A client of a platform, and its default assertion. */
export async function workload(
  server: TestServer,
  { issuer, pair }: Platform,
  more: Parameters<TestServer['registerClient']>[0] & {
    readonly subject?: string
    readonly requiredClaims?: Record<string, string>
  } = {},
) {
  const { subject = `system:serviceaccount:shop:${randomUUID()}`, requiredClaims = {}, ...registration } = more
  const { clientId } = await server.registerClient({
    authenticationMethod: AuthenticationMethod.FEDERATED_JWT,
    federatedIdentities: [{ issuer, subject, requiredClaims }],
    scopes: ['orders.read'],
    ...registration,
  })
  const claims = (over: Claims = {}): Claims => ({
    iss: issuer,
    sub: subject,
    aud: [server.issuer],
    iat: inSeconds(0),
    nbf: inSeconds(0),
    exp: inSeconds(3_600),
    ...over,
  })
  const assertion = (over: Claims = {}, header: Claims = {}) => signed(pair, claims(over), header)
  const proof = (value: string) => ({ clientId, method: { case: 'clientAssertion' as const, value } })
  const mintWith = (value: string) => server.call(TokenService.method.mintToken, { client: proof(value) })
  return { clientId, subject, claims, assertion, proof, mintWith }
}
