import { CLIENT_ID } from './ids.ts'
import type { RegistrationProblem } from './registration.ts'
import { isReservedScope, isScopeToken } from './scopes.ts'
import { HOLDS_SECRET, holdsSecret } from './secret-text.ts'
import { isTrustDomain } from './spiffe-id.ts'
import {
  type AssertionRule,
  type IssuerRegistration,
  isSpiffeName,
  patternText,
  spiffeIssuer,
} from './trusted-issuer.ts'

/** RFC 7519 §2, StringOrURI. Names are compared character by character, so invisible characters are rejected. */
export const ISSUER_NAME = /^[^\s\p{Cc}\p{Cf}]+$/u
const NAME_PROBLEM = 'must not be empty or contain white space, control characters or invisible characters'

const LONGEST_SCOPE = 128

/** Whether a token for an assertion may have this scope: valid by RFC 6749 §3.3, and not a permission of this server. */
export function isIssuableForAssertion(scope: string): boolean {
  return scope.length <= LONGEST_SCOPE && isScopeToken(scope) && !isReservedScope(scope)
}

/** All inconsistencies of an issuer, except for its keys and expressions. `ownIssuer`: this server's issuer. */
export function issuerProblems(issuer: IssuerRegistration, ownIssuer: string): readonly RegistrationProblem[] {
  return [
    ...nameProblems(issuer, ownIssuer),
    ...audienceProblems(issuer),
    ...issuer.rules.flatMap((rule, index) => ruleProblems(rule, `rules[${index}]`)),
  ]
}

function nameProblems({ issuer, kind, trustDomain, keys }: IssuerRegistration, own: string): RegistrationProblem[] {
  const field = 'issuer'
  if (!ISSUER_NAME.test(issuer)) return [{ field, description: NAME_PROBLEM }]
  if (holdsSecret(issuer)) return [{ field, description: HOLDS_SECRET }]
  if (issuer === own) {
    return [{ field, description: 'is this server itself, whose own tokens are not accepted as assertions' }]
  }
  if (kind === 'jwt') {
    const problems: RegistrationProblem[] = []
    if (isSpiffeName(issuer))
      problems.push({ field, description: 'names a SPIFFE trust domain: the kind must be SPIFFE' })
    if (trustDomain !== null)
      problems.push({ field: 'trust_domain', description: 'is allowed only for the kind SPIFFE' })
    return problems
  }
  if (trustDomain === null || !isTrustDomain(trustDomain)) {
    return [{ field: 'trust_domain', description: 'must be 1 to 255 of a-z 0-9 . _ - (SPIFFE-ID §2.1)' }]
  }
  const problems: RegistrationProblem[] = []
  if (issuer !== spiffeIssuer(trustDomain)) {
    problems.push({ field, description: 'must be spiffe:// followed by only the trust domain' })
  }
  if (keys.kind === 'discovery') {
    const description = 'is allowed only for the kind JWT: a trust domain has a bundle, in jwks or at jwks_uri'
    problems.push({ field: 'discovery', description })
  }
  return problems
}

function audienceProblems({ audience }: IssuerRegistration): RegistrationProblem[] {
  if (audience === null) return []
  if (!ISSUER_NAME.test(audience)) return [{ field: 'audience', description: NAME_PROBLEM }]
  return holdsSecret(audience) ? [{ field: 'audience', description: HOLDS_SECRET }] : []
}

/** `place`: the path of the rule. A missing client is not a problem, because it may be registered later. */
function ruleProblems(rule: AssertionRule, place: string): RegistrationProblem[] {
  const problems: RegistrationProblem[] = []
  if (rule.claims.length === 0 && rule.condition === null) {
    problems.push({
      field: place,
      description: 'needs claims, a condition or both: without them it matches every assertion',
    })
  }
  if (!CLIENT_ID.test(rule.clientId)) {
    problems.push({ field: `${place}.client_id`, description: 'must be the id of a client' })
  }
  for (const [index, scope] of rule.scopes.entries()) {
    if (isIssuableForAssertion(scope)) continue
    problems.push({
      field: `${place}.scopes[${index}]`,
      description: 'must be a scope that does not begin with qscope:',
    })
  }
  const texts = [
    ...rule.claims.flatMap((pattern) => [pattern.name, patternText(pattern)].map((text) => ['claims', text] as const)),
    ['condition', rule.condition] as const,
    ['client_id', rule.clientId] as const,
    ['scopes_expression', rule.scopesExpression] as const,
    ...rule.scopes.map((scope) => ['scopes', scope] as const),
    ...Object.entries(rule.tokenClaims).flatMap((pair) => pair.map((text) => ['token_claims', text] as const)),
  ]
  const holding = new Set(texts.flatMap(([field, text]) => (text !== null && holdsSecret(text) ? [field] : [])))
  return [...problems, ...Array.from(holding, (field) => ({ field: `${place}.${field}`, description: HOLDS_SECRET }))]
}
