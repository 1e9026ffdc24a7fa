import type { KnownIssuer } from '../../auth/trusted-issuers.ts'
import {
  type AssertionClaims,
  endOf,
  isOnlyFor,
  isTimely,
  readAssertion,
  verifyAssertion,
} from '../../crypto/assertion.ts'
import type { Client } from '../../domain/client.ts'
import { clientId } from '../../domain/ids.ts'
import { withoutSecrets } from '../../domain/secret-text.ts'
import { type AssertionRule, ruleFor } from '../../domain/trusted-issuer.ts'
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
  const { trustedIssuers, issuer: ownIssuer } = ctx.services
  const assertion = readAssertion(request.assertion, 'authorization-grant+jwt')
  const issuer = assertion === null ? null : await trustedIssuers.find(ctx, assertion.claimed.iss)
  // What this server signs itself, identity tokens among it, stands for no client here.
  if (assertion === null || issuer === null || assertion.claimed.iss === ownIssuer) return fail('oauth.invalid_grant')
  const found = await issuer.keysFor(assertion)
  if (!found.ok) return fail('oauth.temporarily_unavailable', { because: 'issuer_keys', retryAfterMs: RETRY_AFTER_MS })
  const { audience, maxLifetime, singleUse } = issuer.terms
  const claims = await verifyAssertion(assertion, found.keys)
  const good =
    claims !== null &&
    isOnlyFor(claims, audience ?? ownIssuer) &&
    isTimely(claims, ctx.now, maxLifetime) &&
    (claims.jti !== undefined || !singleUse)
  return good ? success({ issuer, claims }) : fail('oauth.invalid_grant')
})

/**
 * RFC 7523 §2.1: the assertion stands for a client that is let in; one that
 * authenticated is that client. One by certificate must do so: all its tokens
 * are bound (RFC 8705 §3), and no assertion takes that from them.
 */
const assertionStandsForClient = condition<Verified, { readonly client: Client; readonly rule: AssertionRule }>(
  'assertionStandsForClient',
  async (ctx, { issuer, claims }) => {
    const rule = ruleFor(issuer.terms.rules, claims)
    const client = rule === null ? null : await ctx.stores.clients.find(ctx, clientId(rule.clientId))
    if (rule === null || !client?.enabled) return fail('oauth.invalid_grant')
    const { caller } = ctx
    const stands =
      caller.kind === 'client'
        ? caller.client.clientId === client.clientId
        : client.authenticationMethod !== 'tls_client'
    return stands ? success({ client, rule }) : fail('oauth.invalid_grant')
  },
)

/**
 * RFC 7523 §3, item 7: where the issuer's assertions may be used once, this is
 * the first time. Taken last, for it uses it up for good: a client beyond its
 * limits may show it again. Who shows a used one takes nothing of what the client may mint.
 */
const assertionIsNew = reservation<Verified>({
  name: 'assertionIsNew',
  take: async (ctx, { issuer, claims }) => {
    const { issuer: name, singleUse } = issuer.terms
    if (!singleUse || claims.jti === undefined) return HOLDS
    const use = { madeBy: { kind: 'issuer', name }, jti: claims.jti, expiresAt: endOf(claims) } as const
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
  (ctx, { claims, issued }) => {
    const event = issuanceEvent(ctx, issued.token, 'token.issued')
    const asserted = {
      grant_type: 'jwt_bearer',
      assertion_issuer: withoutSecrets(claims.iss).slice(0, SHOWN),
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
    .and(assertionStandsForClient)
    .and(grantIsAllowed('jwt_bearer'))
    .and(scopesAreOfRule)
    .and(audiencesAreAllowed)
    .and(lifetimeIsAllowed)
    .and(identityHasOneAudience)
    .and(signerIsReady)
    .and(tokenIsNotTooLong((content) => content)),
  reserve: [...mintLimits(), assertionIsNew],
  run: issueOwnToken,
  postconditions: [assertedTokenIsAppended],
})
