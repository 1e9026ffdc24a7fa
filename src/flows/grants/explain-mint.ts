import { type Client, type ClientSecret, type GrantType, isSecretValid } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { type FailedResult, fail, HOLDS, invalidRequest, success } from '../../results.ts'
import { type ConditionChain, condition, type EvaluatedCondition, given } from '../condition.ts'
import { grantIsAllowed } from '../conditions/caller.ts'
import { clientMayObtainConsent } from '../conditions/client.ts'
import { audiencesAreAllowed, delegatedScopesAreAllowed, type TokenRequest } from '../conditions/request.ts'
import { signerIsReady } from '../conditions/signing-key.ts'
import type { FlowContext } from '../context.ts'
import { type Check, type CheckTexts, type Explanation, listed, toCheck } from '../explanation.ts'
import { query, type Reservation } from '../flow.ts'
import { ownTokenConditions } from './client-credentials.ts'
import { consentConditions } from './consent.ts'
import { someIssuerIsTrusted } from './exchange-assertion.ts'
import { mintLimits } from './mint-limits.ts'

/** What would be asked, by which grant, for which client. */
interface MintQuestion extends TokenRequest {
  readonly clientId: ClientId
  readonly grantType: GrantType
}

type Question = TokenRequest & { readonly client: Client }

/**
 * For each grant the conditions that its flow shares with this: all that is judged
 * before anything is presented. What hangs on a code, a token or an assertion is
 * not judged. The one that has an effect is the last.
 */
const CONDITIONS = {
  client_credentials: ownTokenConditions,
  authorization_code: given<Question>()
    .and(clientMayObtainConsent('authorization_code'))
    .followedBy(consentConditions)
    .and(signerIsReady),
  device_code: given<Question>().and(grantIsAllowed('device_code')).followedBy(consentConditions).and(signerIsReady),
  refresh_token: redeeming('refresh_token'),
  token_exchange: redeeming('token_exchange'),
  jwt_bearer: given<Question>().and(someIssuerIsTrusted).followedBy(redeeming('jwt_bearer')),
} as const satisfies Record<GrantType, ConditionChain<Question, Question>>

/** What is presented narrows scopes and audiences further. */
function redeeming(grant: GrantType) {
  return given<Question>()
    .and(grantIsAllowed(grant))
    .and(delegatedScopesAreAllowed)
    .and(audiencesAreAllowed)
    .and(signerIsReady)
}

/** What a flow would spend: of tokens without a user alone there is a limit. */
const LIMITS = {
  client_credentials: mintLimits<Question>(),
  authorization_code: [],
  device_code: [],
  refresh_token: [],
  token_exchange: mintLimits<Question>(),
  jwt_bearer: mintLimits<Question>(),
} as const satisfies Record<GrantType, readonly Reservation<Question>[]>

/** A client that is disabled is let in nowhere. */
const clientIsEnabled = condition<{ readonly client: Client; readonly grantType: GrantType }>(
  'clientIsEnabled',
  (_ctx, { client, grantType }) => (client.enabled ? HOLDS : refuseClient(grantType)),
)

/** RFC 6749 §2.3: some secret would prove the client; which one it shows is not known. */
const clientCanAuthenticate = condition<{ readonly client: Client }, { readonly secrets: readonly ClientSecret[] }>(
  'clientCanAuthenticate',
  async (ctx, { client }) => {
    if (client.authenticationMethod !== 'client_secret') return success({ secrets: [] })
    const secrets = await ctx.stores.clientSecrets.ofClient(ctx, client.clientId)
    return secrets.some((secret) => isSecretValid(secret, ctx.now))
      ? success({ secrets })
      : fail('oauth.invalid_client')
  },
)

/** How the calls of a grant refuse a client that is not let in: an assertion and a consent stand for it, the others prove it. */
function refuseClient(grantType: GrantType): FailedResult {
  if (grantType === 'jwt_bearer') return fail('oauth.invalid_grant')
  return fail(grantType === 'authorization_code' ? 'oauth.unauthorized_client' : 'oauth.invalid_client')
}

/** The same for one that does not exist. */
function refuseUnknown({ grantType, clientId }: MintQuestion): FailedResult {
  return grantType === 'authorization_code'
    ? fail('resource.not_found', { resource: { type: 'client', name: clientId } })
    : refuseClient(grantType)
}

const LET_IN = given<{ readonly client: Client; readonly grantType: GrantType }>().and(clientIsEnabled)
const PROVED = LET_IN.and(clientCanAuthenticate)

/** A shorter life is asked of MintToken alone. */
const lifetimeGoesWithGrant = condition<MintQuestion>(
  'lifetimeGoesWithGrant',
  (_ctx, { grantType, requestedLifetime }) =>
    requestedLifetime === null || grantType === 'client_credentials'
      ? HOLDS
      : invalidRequest('lifetime', 'goes with CLIENT_CREDENTIALS only'),
)

/** Tells whether a client would be issued a token, by the flow's own conditions; spends and writes nothing. */
export const explainMint = query({
  name: 'explainMint',
  preconditions: given<MintQuestion>().and(lifetimeGoesWithGrant),
  answer: async (ctx, question): Promise<Explanation> => {
    const client = await ctx.stores.clients.find(ctx, question.clientId)
    if (client === null) return { verdict: 'unknown', checks: [UNKNOWN_CLIENT], refusal: refuseUnknown(question) }
    const asked = { ...question, client }
    const known: Check = { ...UNKNOWN_CLIENT, passed: true, detail: `client ${client.clientId}`, fix: '' }
    const letIn = await (question.grantType === 'jwt_bearer' ? LET_IN : PROVED).trace(ctx, asked)
    const checks = [known, ...letIn.evaluated.map((each) => toCheck(TEXTS, each, { ...asked, ...letIn.known }))]
    if (letIn.refusal !== null) return { verdict: 'refused', checks, refusal: letIn.refusal }
    const traced = await CONDITIONS[question.grantType].trace(ctx, asked)
    // What the first call would see to by itself, such as a key that signs, is no reason to be refused.
    const evaluated = traced.evaluated.map(({ name, decision }) => ({
      name,
      decision: decision.ok || decision.effect === undefined ? decision : HOLDS,
    }))
    const limits = evaluated.every(({ decision }) => decision.ok) ? await limitsOf(ctx, question.grantType, asked) : []
    const all = [...evaluated, ...limits]
    const refusal = all.map(({ decision }) => decision).find((decision) => !decision.ok) ?? null
    checks.push(...all.map((each) => toCheck(TEXTS, each, { ...asked, ...traced.known })))
    return { verdict: refusal === null ? 'accepted' : 'refused', checks, refusal }
  },
})

/** What the flow's reservations would find, up to the first that refuses. */
async function limitsOf(ctx: FlowContext, grantType: GrantType, asked: Question): Promise<EvaluatedCondition[]> {
  const evaluated: EvaluatedCondition[] = []
  for (const { name, check } of LIMITS[grantType]) {
    if (check === undefined) continue
    const decision = await check(ctx, asked)
    evaluated.push({ name, decision })
    if (!decision.ok) break
  }
  return evaluated
}

const UNKNOWN_CLIENT: Check = Object.freeze({
  name: 'client_is_registered',
  passed: false,
  detail: 'no client has this id, or it was deleted',
  fix: 'Compare the id letter by letter (upper and lower case differ), or RegisterClient. The id of a deleted client stays reserved.',
})

type Facts = Question & {
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly secrets: readonly ClientSecret[]
}

const grants: CheckTexts<Facts>[string] = {
  name: 'grant_is_allowed',
  detail: ({ client }) => `its grants: ${listed(client?.grantTypes)}`,
  fix: 'Have the grant registered: UpdateClient with grant_types, which a public client may not have all of.',
}
const scopes: CheckTexts<Facts>[string] = {
  name: 'scopes_are_allowed',
  detail: ({ client, requestedScopes }) =>
    `its scopes: ${listed(client?.scopes)}; asked for: ${listed(requestedScopes)}`,
  fix: 'Ask for registered scopes, or register these: UpdateClient with scopes. Permissions (qscope:) are minted by CLIENT_CREDENTIALS alone.',
}
const oneAudience: CheckTexts<Facts>[string] = {
  name: 'identity_has_audience',
  detail: ({ client, audiences }) =>
    `tokens are ${client?.config.accessTokenFormat.toUpperCase()}; audiences: ${listed(audiences)}`,
  fix: 'Ask for exactly one audience with CLIENT_CREDENTIALS, for at least one in a consent; only clients of identity tokens must.',
}

const TEXTS: CheckTexts<Facts> = Object.freeze({
  clientIsEnabled: {
    name: 'client_is_enabled',
    detail: ({ client }) => (client?.enabled ? 'it is enabled' : 'it is disabled'),
    fix: 'EnableClient. Its unexpired tokens then work again; after a compromise call RevokeTokens before.',
  },
  clientCanAuthenticate: {
    name: 'client_can_authenticate',
    detail: ({ client, secrets }) => {
      const method = `it authenticates by ${client?.authenticationMethod.toUpperCase()}`
      if (client?.authenticationMethod !== 'client_secret') return method
      return secrets === undefined ? `${method}; none of its secrets is valid` : method
    },
    fix: 'RotateClientSecret draws a new secret. ListClientSecrets tells when the others ended.',
  },
  grantIsAllowed: grants,
  clientMayObtainConsent: grants,
  someIssuerIsTrusted: {
    name: 'some_issuer_is_trusted',
    detail: () => 'issuers of the configuration',
    fix: 'No issuer of assertions is configured on this server: have the operator set QSCOPE_TRUSTED_ISSUERS_FILE.',
  },
  scopesAreAllowed: scopes,
  delegatedScopesAreAllowed: scopes,
  audiencesAreAllowed: {
    name: 'audiences_are_allowed',
    detail: ({ client, requestedAudiences }) =>
      `its audiences: ${listed(client?.audiences)}; asked for: ${listed(requestedAudiences)}`,
    fix: 'Ask for registered audiences, or register these: UpdateClient with audiences. One that is registered is refused while the client that answers for it is disabled or deleted, and for a token with qscope: scopes, which is for this server alone.',
  },
  identityHasOneAudience: oneAudience,
  identityHasAudiences: oneAudience,
  lifetimeIsAllowed: {
    name: 'lifetime_is_allowed',
    detail: ({ client, requestedLifetime = null }) => {
      const longest = `at most ${(client?.config.accessTokenTtl ?? 0) / 1_000} s`
      return `${longest}; asked for: ${requestedLifetime === null ? 'none' : `${requestedLifetime / 1_000} s`}`
    },
    fix: 'Ask for a shorter lifetime, or raise config.access_token_ttl with UpdateClient.',
  },
  tokenIsNotTooLong: {
    name: 'token_is_not_too_long',
    detail: ({ scopes: asked, audiences }) => `${asked?.length ?? 0} scopes, ${audiences?.length ?? 0} audiences`,
    fix: 'Ask for fewer scopes or audiences, or have the client get opaque tokens: config.access_token_format.',
  },
  signerIsReady: {
    name: 'signer_is_ready',
    detail: ({ client }) =>
      client?.config.accessTokenFormat === 'opaque'
        ? 'its tokens are opaque'
        : 'the server has, or makes, a key that signs',
    fix: 'ActivateSigningKey, or repeat the call: the server prepares a key by itself.',
  },
  mintingIsWithinRate: {
    name: 'minting_is_within_rate',
    detail: () => 'each process counts for itself',
    fix: 'Keep tokens until they expire, and mint fewer. The operator sets the rate: QSCOPE_MINT_RATE.',
  },
  liveTokensAreWithinQuota: {
    name: 'live_tokens_are_within_quota',
    detail: () => 'they are counted now and then',
    fix: 'Keep tokens until they expire, ask for shorter lifetimes, or RevokeTokens. The operator sets the number: QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT.',
  },
})
