import type { AssertionClaim, AssertionUse, Examination } from '../../auth/assertion-examiner.ts'
import type { Client } from '../../domain/client.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
import type { RuleOutcome } from '../../expressions/rule-expressions.ts'
import { printable } from '../../printable.ts'
import { type Check, type CheckTexts, listed } from '../explanation.ts'

/** The facts from which the texts of the checks are made. */
interface Facts {
  readonly examined: Examination
  readonly use: AssertionUse
  /** The audience that the assertion must have. */
  readonly audience: string
  readonly now: EpochMs
}

/** The texts of one check. */
interface Text<Of> {
  readonly detail: (facts: Of, passed: boolean) => string
  readonly fix: string
}

const SHOWN = 512

/** Formats a value of the assertion. The value is untrusted. */
function shown(text: unknown): string {
  if (text === undefined || text === null) return 'not set'
  return printable(withoutSecrets(typeof text === 'string' ? text : JSON.stringify(text)).slice(0, SHOWN))
}

export function checkOf<Of>(name: string, passed: boolean, { detail, fix }: Text<Of>, facts: Of): Check {
  return { name, passed, detail: detail(facts, passed), fix: passed ? '' : fix }
}

/** The texts of the checks of the assertion itself. */
export const ASSERTION_TEXTS: Readonly<Record<AssertionClaim, Text<Facts>>> = {
  assertion_is_readable: {
    detail: (_facts, passed) =>
      passed
        ? 'it is a signed JWT'
        : 'it is not a compact JWT of at most 16 KiB that has sub, aud and exp, and each name once',
    fix: 'Send the JWT exactly as the platform wrote it, without white space around it.',
  },
  issuer_is_trusted: {
    detail: ({ examined }, passed) => {
      const { iss, sub } = examined.assertion?.claimed ?? {}
      const claimed = `iss ${shown(iss)}, sub ${shown(sub)}`
      return passed
        ? `${claimed}; trusted as ${examined.issuer?.terms.issuer ?? ''}`
        : `${claimed}; neither the issuer nor the trust domain of a SPIFFE ID is trusted here`
    },
    fix: 'Call CreateTrustedIssuer with exactly this issuer, or with the trust domain of the SPIFFE ID. This server never accepts its own tokens as assertions.',
  },
  header_is_allowed: {
    detail: ({ examined: { assertion } }) => `typ ${shown(assertion?.type)}, alg ${shown(assertion?.algorithm)}`,
    fix: 'Use a token without typ, or with typ JWT; any other type is for another purpose. A JWT-SVID may also have typ JOSE, and must not use EdDSA.',
  },
  issuer_keys_are_available: {
    detail: ({ examined: { keys } }) =>
      keys === null || keys.ok ? `usable keys: ${keys?.keys.length ?? 0}` : shown(keys.problem),
    fix: 'Make sure that this server can reach the key set, and that the set holds public signature keys. Run qscope doctor for details.',
  },
  signature_is_genuine: {
    detail: ({ examined: { assertion, keys } }, passed) => {
      const names = keys?.ok ? keys.keys.map(({ kid, algorithm }) => `${shown(kid)} (${algorithm})`) : []
      const left = keys?.ok && keys.leftOut.length > 0 ? `; not used: ${keys.leftOut.map(shown).join('; ')}` : ''
      const signed = `kid ${shown(assertion?.kid)}, alg ${shown(assertion?.algorithm)}`
      return passed ? signed : `${signed}; keys of the issuer: ${listed(names)}${left}`
    },
    fix: 'Publish the signing key in the key set of the issuer. After a rotation, the server finds a new key within a minute.',
  },
  audience_is_this_server: {
    detail: ({ examined, audience }) => `aud ${shown(examined.claims?.aud)}; expected: ${audience}, alone`,
    fix: 'Let the platform issue a token for this audience alone.',
  },
  assertion_is_timely: {
    detail: ({ examined: { claims }, now }) =>
      `iat ${shown(claims?.iat)}, nbf ${shown(claims?.nbf)}, exp ${shown(claims?.exp)}; now ${Math.floor(now / 1_000)}`,
    fix: 'Use a token that is valid now, and compare the clocks. For a grant, you can raise max_lifetime of the issuer; for client authentication, the token must expire within an hour.',
  },
  lifetime_is_allowed: {
    detail: ({ examined: { claims }, use }) =>
      use === 'authorization_grant'
        ? 'it expires within max_lifetime of the issuer'
        : `iat ${shown(claims?.iat)}, exp ${shown(claims?.exp)}; at most 3600 s apart`,
    fix: 'Let the platform issue tokens that have iat and last at most an hour, such as expirationSeconds: 3600 of a projected volume.',
  },
  assertion_id_is_present: {
    detail: ({ examined: { claims, issuer } }) =>
      issuer?.terms.singleUse ? `jti ${shown(claims?.jti)}` : 'the issuer is not single_use, so no jti is required',
    fix: 'Let the issuer put a jti into each assertion, or set single_use of the issuer to false.',
  },
}

/** The texts of the check whether an assertion of a single_use issuer was used before. */
export const UNUSED: Text<object> = {
  detail: (_facts, passed) => (passed ? 'its jti is new' : 'its jti has already been used'),
  fix: 'Get a new token from the platform for each use, or set single_use of the issuer to false.',
}

interface Named {
  readonly name: { readonly issuer: string; readonly subject: string }
  readonly client: Client | null
  /** Whether its required claims hold as well. */
  readonly isNamed: boolean
}

/** The checks of a client authentication beyond the assertion itself. */
export function identityChecks(named: Named): readonly Check[] {
  const { name, client, isNamed } = named
  const known: Text<Named> = {
    detail: () =>
      client === null
        ? `no client has the federated identity ${shown(name.subject)} of ${name.issuer}`
        : `it is client ${client.clientId}`,
    fix: 'Call UpdateClient with federated_identities that have exactly this issuer and subject.',
  }
  const first = checkOf('client_has_identity', client !== null, known, named)
  if (client === null) return [first]
  const required: Text<Named> = {
    detail: (_named, passed) => (passed ? 'all required claims match' : 'a required claim does not match'),
    fix: 'Compare required_claims of the identity with the claims of the token.',
  }
  const second = checkOf('required_claims_hold', isNamed, required, named)
  if (!isNamed) return [first, second]
  const enabled: Text<Named> = {
    detail: (_named, passed) => (passed ? 'it is enabled' : 'it is disabled'),
    fix: 'Call EnableClient. Its unexpired tokens then work again; after a compromise, call RevokeTokens first.',
  }
  return [first, second, checkOf('client_is_enabled', client.enabled, enabled, named)]
}

interface Granted {
  readonly outcome: RuleOutcome
  readonly client: Client
  readonly scopes: readonly string[]
}

/** The texts of the conditions of a grant, by their names. */
export const GRANTED_TEXTS: CheckTexts<Granted> = Object.freeze({
  rulesAreEvaluated: {
    name: 'rules_are_evaluated',
    detail: () => 'the rules of the issuer were evaluated, up to the first that applies',
    fix: '',
  },
  assertionStandsForClient: {
    name: 'assertion_stands_for_client',
    detail: ({ outcome, client }) => {
      if (client !== undefined) return `it stands for client ${client.clientId}`
      if (outcome?.ok === false) return shown(outcome.problem)
      const named = outcome?.rule?.clientId
      return named === undefined
        ? 'no rule of the issuer applies to its claims'
        : `the rule is for client ${named}, which does not exist, is disabled, or has to show its certificate`
    },
    fix: 'Compare claims and condition of the rules with the claims of the token; change the rules with UpdateTrustedIssuer, or enable the client. A TLS_CLIENT client must also authenticate.',
  },
  grantIsAllowed: {
    name: 'grant_is_allowed',
    detail: ({ client }) => `its grants: ${listed(client?.grantTypes)}`,
    fix: 'Register the grant JWT_BEARER: call UpdateClient with grant_types.',
  },
  scopesAreOfRule: {
    name: 'scopes_are_allowed',
    detail: ({ client, outcome }) =>
      `its scopes: ${listed(client?.scopes)}; of the rule: ${listed(outcome?.ok ? (outcome.rule?.scopes ?? []) : [])}`,
    fix: 'Give the rule and the client a scope in common. Permissions (qscope:) are never granted for an assertion.',
  },
})
