import { singleUseOf } from '../../auth/assertion-examiner.ts'
import type { KnownIssuer } from '../../auth/trusted-issuers.ts'
import type { Caller } from '../../context.ts'
import { type AssertionClaims, readAssertion } from '../../crypto/assertion.ts'
import type { Client } from '../../domain/client.ts'
import { clientId } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
import type { AssertionRule } from '../../domain/trusted-issuer.ts'
import type { RuleOutcome } from '../../expressions/rule-expressions.ts'
import type { JsonObject } from '../../json-object.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { AppendStores } from '../../stores/contract/backend.ts'
import { condition, given, postcondition } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { scopesAreOfRule, someIssuerIsTrusted } from '../conditions/assertion-rules.ts'
import { grantIsAllowed } from '../conditions/caller.ts'
import { identityHasOneAudience } from '../conditions/identity-token.ts'
import { audiencesAreAllowed, lifetimeIsAllowed, type TokenRequest } from '../conditions/request.ts'
import { signerIsReady } from '../conditions/signing-key.ts'
import { defineFlow, oneToken, reservation } from '../flow.ts'
import { type IssuedTokens, issueOwnToken } from './issue-tokens.ts'
import { mintLimits } from './mint-limits.ts'
import { issuanceEvent } from './store-tokens.ts'

type AssertionRequest = TokenRequest & { readonly assertion: string }
type Verified = { readonly issuer: KnownIssuer; readonly claims: AssertionClaims }

const RETRY_AFTER_MS = 5_000
const SHOWN = 512

/**
 * RFC 7523 §3: the assertion is signed by a trusted issuer, for this server alone, and not expired. The refusal does
 * not reveal which of these fails. Without available keys every assertion is refused. The location of the keys and the
 * cause of the problem are in the log and in the output of `qscope doctor`.
 */
const assertionIsGood = condition<AssertionRequest, Verified>('assertionIsGood', async (ctx, request) => {
  const { assertionExaminer } = ctx.services
  const examined = await assertionExaminer.examine(
    ctx,
    readAssertion(request.assertion),
    'authorization_grant',
    ctx.now,
  )
  if (examined.failed === null) return success({ issuer: examined.issuer, claims: examined.claims })
  return examined.failed === 'issuer_keys_are_available'
    ? fail('oauth.temporarily_unavailable', { because: 'issuer_keys', retryAfterMs: RETRY_AFTER_MS })
    : fail('oauth.invalid_grant')
})

/**
 * The rules of the issuer are evaluated with the claims that it signed. Evaluation errors go to the log, not to the
 * bearer.
 */
const rulesAreEvaluated = condition<Verified, { readonly outcome: RuleOutcome }>(
  'rulesAreEvaluated',
  (ctx, { issuer: { terms }, claims }) => {
    const outcome = ctx.services.ruleEvaluator.evaluate(terms.rules, claims)
    if (!outcome.ok) {
      const problem = withoutSecrets(outcome.problem).slice(0, SHOWN)
      const { issuer: name } = terms
      ctx.log.info({ rayId: ctx.rayId, issuer: name, problem }, 'a rule of a trusted issuer cannot be evaluated')
    }
    return success({ outcome })
  },
)

type Stands = { readonly client: Client; readonly rule: AssertionRule; readonly extra: Readonly<JsonObject> | null }

/**
 * RFC 7523 §2.1: the assertion is for an enabled client. If a client authenticated, it must be this one. A client that
 * authenticates by certificate must do so, because all its tokens are bound (RFC 8705 §3), also those for assertions.
 */
const assertionStandsForClient = condition<{ readonly outcome: RuleOutcome }, Stands>(
  'assertionStandsForClient',
  async (ctx, { outcome }) => {
    if (!outcome.ok) return fail('oauth.invalid_grant')
    const { rule, extra } = outcome
    const client = rule === null ? null : await ctx.stores.clients.find(ctx, clientId(rule.clientId))
    if (rule === null || !client?.enabled) return fail('oauth.invalid_grant')
    return isFor(client, ctx.caller) ? success({ client, rule, extra }) : fail('oauth.invalid_grant')
  },
)

function isFor(client: Client, caller: Caller): boolean {
  if (caller.kind !== 'client') return client.authenticationMethod !== 'tls_client'
  const { clientId: callerId, tlsClientSubject } = caller.client
  // The client may have got another certificate while the keys of the issuer were fetched, after it authenticated.
  return callerId === client.clientId && tlsClientSubject === client.tlsClientSubject
}

/** The conditions for a valid assertion, without those for requested audiences and lifetime. */
export const grantedConditions = given<Verified & Pick<TokenRequest, 'requestedScopes'>>()
  .and(rulesAreEvaluated)
  .and(assertionStandsForClient)
  .and(grantIsAllowed('jwt_bearer'))
  .and(scopesAreOfRule)

/**
 * RFC 7523 §3, item 7: an assertion of a single-use issuer was not used before. This is taken last, because it cannot
 * be released: a client beyond its limits may present the assertion again. A used assertion does not reduce what the
 * client may mint.
 */
const assertionIsNew = reservation<Verified>({
  name: 'assertionIsNew',
  take: async (ctx, verified) => {
    const use = singleUseOf(verified)
    if (use === null) return HOLDS
    const consumption = await ctx.services.jtiReplayGuard.consume(ctx, use)
    if (consumption === 'first') return HOLDS
    return consumption === 'overloaded'
      ? fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS })
      : fail('oauth.invalid_grant')
  },
  release: null,
})

/** The audit event names the issuer whose assertion led to the token. */
const assertedTokenIsAppended = postcondition<Verified & { readonly issued: IssuedTokens }, AppendStores>(
  'assertedTokenIsAppended',
  (ctx, { issuer, claims, issued }) => {
    const event = issuanceEvent(ctx, issued.token, 'token.issued')
    const asserted = {
      grant_type: 'jwt_bearer',
      assertion_issuer: withoutSecrets(issuer.terms.issuer).slice(0, SHOWN),
      assertion_subject: withoutSecrets(claims.sub).slice(0, SHOWN),
    }
    ctx.stores.accessTokens.insert(issued.token)
    ctx.stores.auditLog.append({ ...event, metadata: { ...event.metadata, ...asserted } })
    return HOLDS
  },
)

/** RFC 7523 §2.1: an assertion of another issuer about a workload is exchanged for a token of the workload's client. */
export const exchangeAssertion = defineFlow({
  name: 'exchangeAssertion',
  lane: 'append',
  issues: oneToken('jwt_bearer'),
  preconditions: given<AssertionRequest>()
    .and(someIssuerIsTrusted)
    .and(assertionIsGood)
    .followedBy(grantedConditions)
    .and(audiencesAreAllowed)
    .and(lifetimeIsAllowed)
    .and(identityHasOneAudience)
    .and(signerIsReady)
    .and(tokenIsNotTooLong((content) => content)),
  reserve: [...mintLimits(), assertionIsNew],
  run: issueOwnToken,
  postconditions: [assertedTokenIsAppended],
})
