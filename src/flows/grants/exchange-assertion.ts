import { singleUseOf } from '../../auth/assertion-examiner.ts'
import type { KnownIssuer } from '../../auth/trusted-issuers.ts'
import type { AssertionClaims } from '../../crypto/assertion.ts'
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
 * RFC 7523 §3: signed by a trusted issuer, for this server alone, and not
 * expired; no hint which of these fails. Keys that cannot be had accept nothing;
 * where they are, and what is wrong there, is in the log and known to `qscope doctor`.
 */
const assertionIsGood = condition<AssertionRequest, Verified>('assertionIsGood', async (ctx, request) => {
  const { assertionExaminer } = ctx.services
  const examined = await assertionExaminer.examine(ctx, request.assertion, 'authorization_grant', ctx.now)
  if (examined.failed === null) return success({ issuer: examined.issuer, claims: examined.claims })
  return examined.failed === 'issuer_keys_are_available'
    ? fail('oauth.temporarily_unavailable', { because: 'issuer_keys', retryAfterMs: RETRY_AFTER_MS })
    : fail('oauth.invalid_grant')
})

/** The rules of the issuer are evaluated for the claims that it signed; what cannot be evaluated is told to the log, not to the bearer. */
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
 * RFC 7523 §2.1: the assertion stands for a client that is let in; one that
 * authenticated is that client. One by certificate must do so: all its tokens
 * are bound (RFC 8705 §3), and no assertion takes that from them.
 */
const assertionStandsForClient = condition<{ readonly outcome: RuleOutcome }, Stands>(
  'assertionStandsForClient',
  async (ctx, { outcome }) => {
    if (!outcome.ok) return fail('oauth.invalid_grant')
    const { rule, extra } = outcome
    const client = rule === null ? null : await ctx.stores.clients.find(ctx, clientId(rule.clientId))
    if (rule === null || !client?.enabled) return fail('oauth.invalid_grant')
    const { caller } = ctx
    const stands =
      caller.kind === 'client'
        ? caller.client.clientId === client.clientId
        : client.authenticationMethod !== 'tls_client'
    return stands ? success({ client, rule, extra }) : fail('oauth.invalid_grant')
  },
)

/** What is judged of a genuine assertion, whatever is asked for it but scopes. */
export const grantedConditions = given<Verified & Pick<TokenRequest, 'requestedScopes'>>()
  .and(rulesAreEvaluated)
  .and(assertionStandsForClient)
  .and(grantIsAllowed('jwt_bearer'))
  .and(scopesAreOfRule)

/**
 * RFC 7523 §3, item 7: where the issuer's assertions may be used once, this is
 * the first time. Taken last, for it uses it up for good: a client beyond its
 * limits may show it again. Who shows a used one takes nothing of what the client may mint.
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

/** The audit event says on whose word the token was issued. */
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

/** RFC 7523 §2.1: what another issuer says of a workload is exchanged for a token of the client it stands for. */
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
