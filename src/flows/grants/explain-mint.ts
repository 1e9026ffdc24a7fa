import { type Client, type GrantType, isSecretValid } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { type FailedResult, fail, HOLDS, invalidRequest } from '../../results.ts'
import { clockIsRight } from '../clock.ts'
import { type ConditionChain, condition, type EvaluatedCondition, given } from '../condition.ts'
import { tokenIsNotTooLong } from '../conditions/access-token-length.ts'
import { scopesAreOfSomeRule, someIssuerIsTrusted, someRuleNamesClient } from '../conditions/assertion-rules.ts'
import { grantIsAllowed } from '../conditions/caller.ts'
import { clientMayObtainConsent } from '../conditions/client.ts'
import { identityHasOneAudience, identityIsAskedForOneAudience } from '../conditions/identity-token.ts'
import { anotherDeviceMayBePending } from '../conditions/pending-devices.ts'
import { audiencesAreAllowed, delegatedScopesAreAllowed, type TokenRequest } from '../conditions/request.ts'
import { signerIsReady } from '../conditions/signing-key.ts'
import type { FlowContext } from '../context.ts'
import { type Explanation, toCheck } from '../explanation.ts'
import { query, type Reservation } from '../flow.ts'
import { ownTokenConditions } from './client-credentials.ts'
import { consentConditions } from './consent.ts'
import { MINT_CHECKS, UNKNOWN_CLIENT } from './mint-checks.ts'
import { mintLimits } from './mint-limits.ts'

/** The request to explain, with its grant and its client. */
interface MintQuestion extends TokenRequest {
  readonly clientId: ClientId
  readonly grantType: GrantType
}

type Question = TokenRequest & { readonly client: Client; readonly grantType: GrantType }

/** A disabled client is refused by every call. */
const clientIsEnabled = condition<Pick<Question, 'client' | 'grantType'>>(
  'clientIsEnabled',
  (_ctx, { client, grantType }) => (client.enabled ? HOLDS : refuseClient(grantType)),
)

/**
 * RFC 6749 §2.3: the client has a valid secret, or an identity at a trusted issuer. What it would present is unknown
 * here.
 */
const clientCanAuthenticate = condition<{ readonly client: Client }>(
  'clientCanAuthenticate',
  async (ctx, { client }) => ((await hasCredential(ctx, client)) ? HOLDS : fail('oauth.invalid_client')),
)

async function hasCredential(ctx: FlowContext, client: Client): Promise<boolean> {
  switch (client.authenticationMethod) {
    case 'client_secret': {
      const secrets = await ctx.stores.clientSecrets.ofClient(ctx, client.clientId)
      return secrets.some((secret) => isSecretValid(secret, ctx.now))
    }
    case 'federated_jwt': {
      const { trustedIssuers, issuer: ownIssuer } = ctx.services
      const names = client.federatedIdentities.map(({ issuer }) => issuer).filter((name) => name !== ownIssuer)
      const found = await Promise.all(names.map((name) => trustedIssuers.find(ctx, name)))
      return found.some((issuer) => issuer !== null)
    }
    default:
      return true
  }
}

const PROVED = given<Question>().and(clientIsEnabled).and(clientCanAuthenticate)

/**
 * For each grant, the conditions shared with its flow, in the order of the calls: all that is evaluated before a code,
 * a token or an assertion is presented. Conditions on those are not evaluated. The condition with an effect is the
 * last.
 */
export const MINT_CONDITIONS = {
  client_credentials: PROVED.and(clockIsRight).followedBy(ownTokenConditions),
  // The consent is reported for the client, which authenticates when it redeems the code.
  authorization_code: given<Question>()
    .and(clientIsEnabled)
    .and(clientMayObtainConsent('authorization_code'))
    .followedBy(consentConditions)
    .and(clientCanAuthenticate)
    .and(clockIsRight)
    .and(signerIsReady),
  device_code: PROVED.and(grantIsAllowed('device_code'))
    .followedBy(consentConditions)
    .and(anotherDeviceMayBePending)
    .and(clockIsRight)
    .and(signerIsReady),
  refresh_token: redeeming('refresh_token'),
  token_exchange: redeeming('token_exchange'),
  // The assertion identifies the client, which need not authenticate.
  jwt_bearer: given<Question>()
    .and(clockIsRight)
    .and(someIssuerIsTrusted)
    .and(clientIsEnabled)
    .and(someRuleNamesClient)
    .and(grantIsAllowed('jwt_bearer'))
    .and(scopesAreOfSomeRule)
    .and(audiencesAreAllowed)
    .and(identityHasOneAudience)
    .and(tokenIsNotTooLong((content) => content))
    .and(signerIsReady),
} as const satisfies Record<GrantType, ConditionChain<Question, Question>>

/** The presented code or token restricts scopes and audiences further, and determines their default. */
function redeeming(grant: GrantType) {
  return PROVED.and(clockIsRight)
    .and(grantIsAllowed(grant))
    .and(delegatedScopesAreAllowed)
    .and(audiencesAreAllowed)
    .and(identityIsAskedForOneAudience)
    .and(
      tokenIsNotTooLong<Question>(({ requestedScopes, requestedAudiences }) => ({
        scopes: requestedScopes,
        audiences: requestedAudiences,
      })),
    )
    .and(signerIsReady)
}

/** The reservations of each flow. Only tokens without a user are limited. */
export const MINT_LIMITS = {
  client_credentials: mintLimits<Question>(),
  authorization_code: [],
  device_code: [],
  refresh_token: [],
  token_exchange: mintLimits<Question>(),
  jwt_bearer: mintLimits<Question>(),
} as const satisfies Record<GrantType, readonly Reservation<Question>[]>

/**
 * The refusal of a disabled client. With an assertion or a consent the client is only named; with other grants it
 * authenticates.
 */
function refuseClient(grantType: GrantType): FailedResult {
  if (grantType === 'jwt_bearer') return fail('oauth.invalid_grant')
  return fail(grantType === 'authorization_code' ? 'oauth.unauthorized_client' : 'oauth.invalid_client')
}

/** The refusal of an unknown client. */
function refuseUnknown({ grantType, clientId }: MintQuestion): FailedResult {
  return grantType === 'authorization_code'
    ? fail('resource.not_found', { resource: { type: 'client', name: clientId } })
    : refuseClient(grantType)
}

/** Only MintToken accepts a requested lifetime. */
const lifetimeGoesWithGrant = condition<MintQuestion>(
  'lifetimeGoesWithGrant',
  (_ctx, { grantType, requestedLifetime }) =>
    requestedLifetime === null || grantType === 'client_credentials'
      ? HOLDS
      : invalidRequest('lifetime', 'is allowed only with CLIENT_CREDENTIALS'),
)

/**
 * Explains whether a client would be issued a token, with the flow's own conditions. It writes and reserves nothing.
 */
export const explainMint = query({
  name: 'explainMint',
  preconditions: given<MintQuestion>().and(lifetimeGoesWithGrant),
  answer: async (ctx, question): Promise<Explanation> => {
    const client = await ctx.stores.clients.find(ctx, question.clientId)
    if (client === null) return { verdict: 'unknown', checks: [UNKNOWN_CLIENT], refusal: refuseUnknown(question) }
    const asked = { ...question, client }
    const traced = await MINT_CONDITIONS[question.grantType].trace(ctx, asked)
    // A condition that the first call would satisfy by itself, such as an active signing key, is not reported as a
    // refusal.
    const evaluated = traced.evaluated.map(({ name, decision }) => ({
      name,
      decision: decision.ok || decision.effect === undefined ? decision : HOLDS,
    }))
    const limits = evaluated.every(({ decision }) => decision.ok) ? await limitsOf(ctx, question.grantType, asked) : []
    const all = [...evaluated, ...limits]
    const refusal = all.map(({ decision }) => decision).find((decision) => !decision.ok) ?? null
    const known = { ...UNKNOWN_CLIENT, passed: true, detail: `client ${client.clientId}`, fix: '' }
    const checks = [known, ...all.map((each) => toCheck(MINT_CHECKS, each, { ...asked, ...traced.known }))]
    return { verdict: refusal === null ? 'accepted' : 'refused', checks, refusal }
  },
})

/** The results of the flow's reservations, up to the first that refuses. */
async function limitsOf(ctx: FlowContext, grantType: GrantType, asked: Question): Promise<EvaluatedCondition[]> {
  const evaluated: EvaluatedCondition[] = []
  for (const { name, check } of MINT_LIMITS[grantType]) {
    if (check === undefined) continue
    const decision = await check(ctx, asked)
    evaluated.push({ name, decision })
    if (!decision.ok) break
  }
  return evaluated
}
