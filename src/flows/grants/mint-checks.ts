import type { Client } from '../../domain/client.ts'
import type { AssertionRule } from '../../domain/trusted-issuer.ts'
import type { TokenRequest } from '../conditions/request.ts'
import { type Check, type CheckTexts, listed } from '../explanation.ts'

/** The check that fails for an unknown client id. */
export const UNKNOWN_CLIENT: Check = Object.freeze({
  name: 'client_is_registered',
  passed: false,
  detail: 'no client has this id, or it was deleted',
  fix: 'Compare the id letter by letter (upper and lower case differ), or RegisterClient. The id of a deleted client stays reserved.',
})

/** The facts about an explained mint. */
type Facts = TokenRequest & {
  readonly client: Client
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly rules: readonly AssertionRule[]
}

const TRUST_ISSUER =
  'Trust the issuer: CreateTrustedIssuer (qscope trust create), or have the operator add it to QSCOPE_TRUSTED_ISSUERS_FILE.'
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
  detail: ({ client, audiences = [] }) =>
    `tokens are ${client?.config.accessTokenFormat.toUpperCase()}; audiences: ${listed(audiences)}`,
  fix: 'Ask for exactly one audience, in a consent for at least one: an identity token is for one. Or have the client get other tokens: config.access_token_format.',
}

/** The texts for each condition of a mint, by condition name. */
export const MINT_CHECKS: CheckTexts<Facts> = Object.freeze({
  clientIsEnabled: {
    name: 'client_is_enabled',
    detail: ({ client }) => (client?.enabled ? 'it is enabled' : 'it is disabled'),
    fix: 'EnableClient. Its unexpired tokens then work again; after a compromise call RevokeTokens before.',
  },
  clientCanAuthenticate: {
    name: 'client_can_authenticate',
    detail: ({ client }, passed) => {
      const method = `it authenticates by ${client?.authenticationMethod.toUpperCase()}`
      if (client?.authenticationMethod === 'federated_jwt') {
        const issuers = listed([...new Set(client.federatedIdentities.map(({ issuer }) => issuer))])
        return `${method}; issuers of its identities: ${issuers}; ${passed ? 'at least one' : 'none of them'} is trusted`
      }
      return passed ? method : `${method}; none of its secrets is valid`
    },
    fix: ({ client }) =>
      client?.authenticationMethod === 'federated_jwt'
        ? `${TRUST_ISSUER} Or UpdateClient with federated_identities of an issuer that is trusted. The own tokens of this server prove no client.`
        : 'RotateClientSecret draws a new secret. ListClientSecrets tells when the others ended.',
  },
  clockIsRight: {
    name: 'clock_is_right',
    detail: (_facts, passed) =>
      `the clocks of this instance and of its database ${passed ? 'agree' : 'lie too far apart, so it issues nothing'}`,
    fix: 'Have the operator set the clock of the instance right, and run qscope doctor there. Others issue meanwhile. QSCOPE_MAX_CLOCK_SKEW says how far apart the clocks may lie.',
  },
  grantIsAllowed: grants,
  clientMayObtainConsent: grants,
  someIssuerIsTrusted: {
    name: 'some_issuer_is_trusted',
    detail: (_facts, passed) =>
      passed ? 'this server trusts issuers of assertions' : 'this server trusts no issuer of assertions',
    fix: TRUST_ISSUER,
  },
  someRuleNamesClient: {
    name: 'some_rule_names_client',
    detail: ({ rules }) => `rules of trusted issuers that name it: ${rules?.length ?? 0}`,
    fix: 'Add a rule with its client_id to a trusted issuer: UpdateTrustedIssuer (qscope trust update), or have the operator change the issuer in QSCOPE_TRUSTED_ISSUERS_FILE. The own tokens of this server prove no client.',
  },
  anotherDeviceMayBePending: {
    name: 'pending_devices_are_within_cap',
    detail: () => 'device authorizations that are undecided count',
    fix: 'Wait until users have decided or the codes have run out. The operator sets the number: QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS.',
  },
  scopesAreOfSomeRule: {
    name: 'scopes_are_allowed',
    detail: ({ client, rules, requestedScopes }) =>
      `its scopes: ${listed(client?.scopes)}; those of its rules: ${listed(rules?.flatMap((rule) => rule.scopes))}; asked for: ${listed(requestedScopes)}`,
    fix: 'Ask for scopes that the client and a rule for it both have. UpdateClient with scopes adds to the client, UpdateTrustedIssuer to the rule; rules of QSCOPE_TRUSTED_ISSUERS_FILE are changed by the operator. Permissions (qscope:) are minted by CLIENT_CREDENTIALS alone.',
  },
  scopesAreAllowed: scopes,
  delegatedScopesAreAllowed: scopes,
  audiencesAreAllowed: {
    name: 'audiences_are_allowed',
    detail: ({ client, requestedAudiences }) =>
      `its audiences: ${listed(client?.audiences)}; asked for: ${listed(requestedAudiences)}`,
    fix: 'Ask for registered audiences, or register these: UpdateClient with audiences. One that is registered is refused while the client that answers for it is disabled (EnableClient of that one) or deleted, and for a token with qscope: scopes, which is for this server alone.',
  },
  identityHasOneAudience: oneAudience,
  identityIsAskedForOneAudience: oneAudience,
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
