import { parseSpiffeId } from './spiffe-id.ts'
import { type ClaimPattern, claimHolds, isSpiffeName, spiffeIssuer } from './trusted-issuer.ts'

/** A name that a client has with a trusted issuer. */
export interface FederatedIdentity {
  /** As the trusted issuer is called: `iss`, or `spiffe://` and the trust domain. */
  readonly issuer: string
  /** `sub`, exactly. */
  readonly subject: string
  /** What an assertion must claim besides: the whole text of each. */
  readonly requiredClaims: readonly ClaimPattern[]
}

/** One thing wrong with a list of identities; `field` is the path in the contract. */
interface IdentityProblem {
  readonly field: string
  readonly description: string
}

type Claims = Readonly<Record<string, unknown>>

/** Whether what an issuer says of a subject is said of this identity. `claims`: verified. */
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

/** Two identities that are one name, whatever else they require. */
export function isSameName(a: FederatedIdentity, b: FederatedIdentity): boolean {
  return a.issuer === b.issuer && a.subject === b.subject
}

/** What no assertion could ever fit. `ownIssuer`: this server's own, whose tokens prove no client here. */
export function identityProblems(
  identities: readonly FederatedIdentity[],
  ownIssuer: string,
): readonly IdentityProblem[] {
  return identities.flatMap((identity, index) => {
    const field = `federated_identities[${index}]`
    const { issuer, subject } = identity
    if (issuer === ownIssuer) return [{ field: `${field}.issuer`, description: 'is this server itself' }]
    if (identities.findIndex((other) => isSameName(identity, other)) < index) {
      return [{ field, description: 'stands in the list twice' }]
    }
    if (!isSpiffeName(issuer)) return []
    const id = parseSpiffeId(subject)
    return id !== null && id.path !== '' && issuer === spiffeIssuer(id.trustDomain)
      ? []
      : [{ field: `${field}.subject`, description: 'must be the SPIFFE ID of a workload of the trust domain' }]
  })
}
