import { parseSpiffeId } from './spiffe-id.ts'
import { type ClaimPattern, claimHolds, isSpiffeName, spiffeIssuer } from './trusted-issuer.ts'

/** A client's name at a trusted issuer. */
export interface FederatedIdentity {
  /** The name of the trusted issuer: `iss`, or `spiffe://` and the trust domain. */
  readonly issuer: string
  /** Compared with `sub`, exactly. */
  readonly subject: string
  /** Further claims that an assertion must have, each with its whole text. */
  readonly requiredClaims: readonly ClaimPattern[]
}

/** One problem of a list of identities. `field` is the path in the contract. */
interface IdentityProblem {
  readonly field: string
  readonly description: string
}

type Claims = Readonly<Record<string, unknown>>

/** Whether an issuer's statements about a subject apply to this identity. `claims` must be verified. */
export function isIdentityOf(
  { issuer, subject, requiredClaims }: FederatedIdentity,
  named: { readonly issuer: string; readonly claims: Claims },
): boolean {
  return (
    named.issuer === issuer &&
    named.claims['sub'] === subject &&
    requiredClaims.every((pattern) => claimHolds(pattern, named.claims))
  )
}

/** Whether two identities have the same name, whatever else they require. */
export function isSameName(a: FederatedIdentity, b: FederatedIdentity): boolean {
  return a.issuer === b.issuer && a.subject === b.subject
}

/** Identities that no assertion could match. `ownIssuer`: this server's issuer, whose tokens do not authenticate clients here. */
export function identityProblems(
  identities: readonly FederatedIdentity[],
  ownIssuer: string,
): readonly IdentityProblem[] {
  return identities.flatMap((identity, index) => {
    const field = `federated_identities[${index}]`
    const { issuer, subject } = identity
    if (issuer === ownIssuer) return [{ field: `${field}.issuer`, description: 'is this server itself' }]
    if (identities.findIndex((other) => isSameName(identity, other)) < index) {
      return [{ field, description: 'is in the list twice' }]
    }
    if (!isSpiffeName(issuer)) return []
    const id = parseSpiffeId(subject)
    return id !== null && id.path !== '' && issuer === spiffeIssuer(id.trustDomain)
      ? []
      : [{ field: `${field}.subject`, description: 'must be the SPIFFE ID of a workload of the trust domain' }]
  })
}
