import { AssertionUse, type TrustedIssuer, TrustedIssuerKind } from '../../../../src/gen/qscope/v1/trust_service_pb.ts'

/** How the pages call the values of the contract. */
export const ISSUER_KINDS: Readonly<Record<TrustedIssuerKind, string>> = {
  [TrustedIssuerKind.UNSPECIFIED]: 'not set',
  [TrustedIssuerKind.JWT]: 'JWT',
  [TrustedIssuerKind.SPIFFE]: 'SPIFFE trust domain',
}

export const KEY_SOURCES: Readonly<Record<NonNullable<TrustedIssuer['keys']['case']>, string>> = {
  jwks: 'a key set, given here',
  jwksUri: 'a URL',
  discovery: 'the metadata of the issuer',
}

export const REUSE: Readonly<Record<'false' | 'true', string>> = {
  false: 'until it expires',
  true: 'once',
}

export const ASSERTION_USES: Readonly<Record<AssertionUse, string>> = {
  [AssertionUse.UNSPECIFIED]: 'not set',
  [AssertionUse.CLIENT_AUTHENTICATION]: 'to authenticate a client',
  [AssertionUse.AUTHORIZATION_GRANT]: 'as a grant, for a token',
}
