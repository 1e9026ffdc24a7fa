import type { AssertionClaim, AssertionUse, Examination } from '../../auth/assertion-examiner.ts'
import type { Client } from '../../domain/client.ts'
import type { EpochMs } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
import type { RuleOutcome } from '../../expressions/rule-expressions.ts'
import { printable } from '../../printable.ts'
import { type Check, type CheckTexts, listed } from '../explanation.ts'

/** What an assertion is told about it by. */
interface Facts {
  readonly examined: Examination
  readonly use: AssertionUse
  /** Whom it has to be for. */
  readonly audience: string
  readonly now: EpochMs
}

/** How a claim of an assertion is told. */
interface Text<Of> {
  readonly detail: (facts: Of, passed: boolean) => string
  readonly fix: string
}

const SHOWN = 512

/** A text of the assertion's, which anybody may have made. */
function shown(text: unknown): string {
  return printable(withoutSecrets(typeof text === 'string' ? text : JSON.stringify(text ?? null)).slice(0, SHOWN))
}

export function checkOf<Of>(name: string, passed: boolean, { detail, fix }: Text<Of>, facts: Of): Check {
  return { name, passed, detail: detail(facts, passed), fix: passed ? '' : fix }
}

/** How each claim of an assertion itself is told. */
export const ASSERTION_TEXTS: Readonly<Record<AssertionClaim, Text<Facts>>> = {
  assertion_is_readable: {
    detail: (_facts, passed) =>
      passed ? 'it is a signed JWT' : 'it is no compact JWT with sub, aud and exp, each name once, at most 16 KiB long',
    fix: 'Send the JWT as the platform wrote it, without white space before or after it.',
  },
  issuer_is_trusted: {
    detail: ({ examined }, passed) => {
      const { iss, sub } = examined.assertion?.claimed ?? {}
      const claimed = `it says iss ${shown(iss)}, sub ${shown(sub)}`
      return passed
        ? `${claimed}; trusted as ${examined.issuer?.terms.issuer ?? ''}`
        : `${claimed}; neither the issuer nor the trust domain of a SPIFFE ID is trusted here`
    },
    fix: 'CreateTrustedIssuer with this exact issuer, or for a SPIFFE ID with its trust domain. What this server signs itself is never an assertion here.',
  },
  header_is_allowed: {
    detail: ({ examined: { assertion } }) => `typ ${shown(assertion?.type)}, alg ${shown(assertion?.algorithm)}`,
    fix: 'Use a token without typ or of typ JWT: another type says another purpose. A JWT-SVID may say JOSE, and is not signed with EdDSA.',
  },
  issuer_keys_are_available: {
    detail: ({ examined: { keys } }) =>
      keys === null || keys.ok ? `keys of use: ${keys?.keys.length ?? 0}` : shown(keys.problem),
    fix: 'See to it that this server reaches the key set, and that it holds public signature keys. qscope doctor tells more.',
  },
  signature_is_genuine: {
    detail: ({ examined: { assertion, keys } }, passed) => {
      const names = keys?.ok ? keys.keys.map(({ kid, algorithm }) => `${shown(kid)} (${algorithm})`) : []
      const left = keys?.ok && keys.leftOut.length > 0 ? `; not used: ${keys.leftOut.map(shown).join('; ')}` : ''
      const signed = `kid ${shown(assertion?.kid)}, alg ${shown(assertion?.algorithm)}`
      return passed ? signed : `${signed}; keys of the issuer: ${listed(names)}${left}`
    },
    fix: 'Have the issuer publish the key that signed it. After a rotation, a new key is found within a minute.',
  },
  audience_is_this_server: {
    detail: ({ examined, audience }) => `aud ${shown(examined.claims?.aud)}; expected: ${audience}, alone`,
    fix: 'Have the platform issue a token for this one audience and no other.',
  },
  assertion_is_timely: {
    detail: ({ examined: { claims }, now }) =>
      `iat ${shown(claims?.iat)}, nbf ${shown(claims?.nbf)}, exp ${shown(claims?.exp)}; it is ${Math.floor(now / 1_000)}`,
    fix: 'Use a token that has not expired and does not begin later, compare the clocks, or raise max_lifetime of the issuer for grants. As a proof of a client it ends within an hour.',
  },
  lifetime_is_allowed: {
    detail: ({ examined: { claims }, use }) =>
      use === 'authorization_grant'
        ? 'it ends within max_lifetime of the issuer'
        : `iat ${shown(claims?.iat)}, exp ${shown(claims?.exp)}; at most 3600 s apart`,
    fix: 'Have the platform issue tokens that say iat and last an hour at most, such as expirationSeconds: 3600 of a projected volume.',
  },
  assertion_id_is_present: {
    detail: ({ examined: { claims, issuer } }) =>
      issuer?.terms.singleUse ? `jti ${shown(claims?.jti)}` : 'the issuer is not single_use: it needs no jti',
    fix: 'Have the issuer give each assertion a jti, or set single_use of the issuer to false.',
  },
}

/** Whether an assertion that may be used once was. */
export const UNUSED: Text<object> = {
  detail: (_facts, passed) => (passed ? 'its jti was not used yet' : 'its jti was used before'),
  fix: 'Get a new token from the platform for each use, or set single_use of the issuer to false.',
}

interface Named {
  readonly name: { readonly issuer: string; readonly subject: string }
  readonly client: Client | null
  /** Whether its required claims hold, too. */
  readonly isNamed: boolean
}

/** What is judged of a proof beside the assertion itself. */
export function identityChecks(named: Named): readonly Check[] {
  const { name, client, isNamed } = named
  const known: Text<Named> = {
    detail: () =>
      client === null
        ? `no client has the federated identity ${shown(name.subject)} of ${name.issuer}`
        : `it is client ${client.clientId}`,
    fix: 'UpdateClient with federated_identities: issuer and subject letter by letter.',
  }
  const first = checkOf('client_has_identity', client !== null, known, named)
  if (client === null) return [first]
  const required: Text<Named> = {
    detail: (_named, passed) => (passed ? 'all that are required hold' : 'one that is required does not hold'),
    fix: 'Compare required_claims of the identity with the claims, or use a token that has them.',
  }
  const second = checkOf('required_claims_hold', isNamed, required, named)
  if (!isNamed) return [first, second]
  const enabled: Text<Named> = {
    detail: (_named, passed) => (passed ? 'it is enabled' : 'it is disabled'),
    fix: 'EnableClient. Its unexpired tokens then work again; after a compromise call RevokeTokens before.',
  }
  return [first, second, checkOf('client_is_enabled', client.enabled, enabled, named)]
}

interface Granted {
  readonly outcome: RuleOutcome
  readonly client: Client
  readonly scopes: readonly string[]
}

/** How each condition of a grant is told, by its name. */
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
    fix: 'Compare claims and condition of the rules with the claims, UpdateTrustedIssuer with rules, or EnableClient. A TLS_CLIENT client authenticates beside its assertion.',
  },
  grantIsAllowed: {
    name: 'grant_is_allowed',
    detail: ({ client }) => `its grants: ${listed(client?.grantTypes)}`,
    fix: 'Have the grant JWT_BEARER registered: UpdateClient with grant_types.',
  },
  scopesAreOfRule: {
    name: 'scopes_are_allowed',
    detail: ({ client, outcome }) =>
      `its scopes: ${listed(client?.scopes)}; of the rule: ${listed(outcome?.ok ? (outcome.rule?.scopes ?? []) : [])}`,
    fix: 'Let rule and client have a scope in common; permissions (qscope:) are never granted so.',
  },
})
