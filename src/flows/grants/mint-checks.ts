import type { Client } from '../../domain/client.ts'
import type { AssertionRule } from '../../domain/trusted-issuer.ts'
import type { TokenRequest } from '../conditions/request.ts'
import { type Check, type CheckTexts, listed } from '../explanation.ts'

/** The check that fails for an unknown client id. */
export const UNKNOWN_CLIENT: Check = Object.freeze({
  name: 'client_is_registered',
  passed: false,
  detail: 'no client has this id, or it was deleted',
  fix: 'Check the spelling of the id, which is case-sensitive, or register the client with RegisterClient. The id of a deleted client cannot be registered again.',
})

/** The facts about an explained mint. */
type Facts = TokenRequest & {
  readonly client: Client
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly rules: readonly AssertionRule[]
}

const TRUST_ISSUER =
  'Trust the issuer with CreateTrustedIssuer (qscope trust create), or ask the operator to add it to QSCOPE_TRUSTED_ISSUERS_FILE.'
const grants: CheckTexts<Facts>[string] = {
  name: 'grant_is_allowed',
  detail: ({ client }) => `its grants: ${listed(client?.grantTypes)}`,
  fix: 'Add the grant to grant_types of the client with UpdateClient. Some grants are not allowed for public clients.',
}
const scopes: CheckTexts<Facts>[string] = {
  name: 'scopes_are_allowed',
  detail: ({ client, requestedScopes }) =>
    `its scopes: ${listed(client?.scopes)}; requested: ${listed(requestedScopes)}`,
  fix: 'Request registered scopes, or add these to scopes of the client with UpdateClient. Only CLIENT_CREDENTIALS issues tokens with permissions (qscope:).',
}
const oneAudience: CheckTexts<Facts>[string] = {
  name: 'identity_has_audience',
  detail: ({ client, audiences = [] }) =>
    `tokens are ${client?.config.accessTokenFormat.toUpperCase()}; audiences: ${listed(audiences)}`,
  fix: 'An identity token has exactly one audience. Request exactly one audience, or in a consent at least one. Or change config.access_token_format of the client.',
}

/** The texts for each condition of a mint, by condition name. */
export const MINT_CHECKS: CheckTexts<Facts> = Object.freeze({
  clientIsEnabled: {
    name: 'client_is_enabled',
    detail: ({ client }) => (client?.enabled ? 'it is enabled' : 'it is disabled'),
    fix: 'Enable the client with EnableClient. Its unexpired tokens then work again. After a compromise, call RevokeTokens first.',
  },
  clientCanAuthenticate: {
    name: 'client_can_authenticate',
    detail: ({ client }, passed) => {
      const method = `its authentication method is ${client?.authenticationMethod.toUpperCase()}`
      if (client?.authenticationMethod === 'federated_jwt') {
        const issuers = listed([...new Set(client.federatedIdentities.map(({ issuer }) => issuer))])
        return `${method}; issuers of its identities: ${issuers}; ${passed ? 'at least one' : 'none of them'} is trusted`
      }
      return passed ? method : `${method}; none of its secrets is valid`
    },
    fix: ({ client }) =>
      client?.authenticationMethod === 'federated_jwt'
        ? `${TRUST_ISSUER} Or change federated_identities to a trusted issuer with UpdateClient. Tokens of this server do not authenticate a client.`
        : 'Create a new secret with RotateClientSecret. ListClientSecrets shows when the other secrets expired.',
  },
  clockIsRight: {
    name: 'clock_is_right',
    detail: (_facts, passed) =>
      passed
        ? 'the clocks of this instance and of its database agree'
        : 'the clocks of this instance and of its database differ too much, so it issues no tokens',
    fix: 'Ask the operator to correct the clock of this instance and to run qscope doctor on it. Other instances still issue tokens. QSCOPE_MAX_CLOCK_SKEW sets the allowed difference.',
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
    fix: 'Add a rule with its client_id to a trusted issuer with UpdateTrustedIssuer (qscope trust update), or ask the operator to add it in QSCOPE_TRUSTED_ISSUERS_FILE. Tokens of this server do not authenticate a client.',
  },
  anotherDeviceMayBePending: {
    name: 'pending_devices_are_within_cap',
    detail: () => 'device authorizations count until the user decides or the code expires',
    fix: 'Wait until users have decided or the codes have expired. The operator sets the limit with QSCOPE_MAX_PENDING_DEVICE_AUTHORIZATIONS.',
  },
  scopesAreOfSomeRule: {
    name: 'scopes_are_allowed',
    detail: ({ client, rules, requestedScopes }) =>
      `its scopes: ${listed(client?.scopes)}; those of its rules: ${listed(rules?.flatMap((rule) => rule.scopes))}; requested: ${listed(requestedScopes)}`,
    fix: 'Request scopes that both the client and a rule for it have. Add scopes to the client with UpdateClient, and to the rule with UpdateTrustedIssuer. The operator changes rules in QSCOPE_TRUSTED_ISSUERS_FILE. Only CLIENT_CREDENTIALS issues tokens with permissions (qscope:).',
  },
  scopesAreAllowed: scopes,
  delegatedScopesAreAllowed: scopes,
  audiencesAreAllowed: {
    name: 'audiences_are_allowed',
    detail: ({ client, requestedAudiences }) =>
      `its audiences: ${listed(client?.audiences)}; requested: ${listed(requestedAudiences)}`,
    fix: 'Request registered audiences, or add these to audiences of the client with UpdateClient. A registered audience is refused if its resource server is disabled (call EnableClient for it) or deleted. A token with qscope: scopes is only for this server and may have no other audience.',
  },
  identityHasOneAudience: oneAudience,
  identityIsAskedForOneAudience: oneAudience,
  identityHasAudiences: oneAudience,
  lifetimeIsAllowed: {
    name: 'lifetime_is_allowed',
    detail: ({ client, requestedLifetime = null }) => {
      const longest = `at most ${(client?.config.accessTokenTtl ?? 0) / 1_000} s`
      return `${longest}; requested: ${requestedLifetime === null ? 'none' : `${requestedLifetime / 1_000} s`}`
    },
    fix: 'Request a shorter lifetime, or increase config.access_token_ttl with UpdateClient.',
  },
  tokenIsNotTooLong: {
    name: 'token_is_not_too_long',
    detail: ({ scopes: asked, audiences }) => `${asked?.length ?? 0} scopes, ${audiences?.length ?? 0} audiences`,
    fix: 'Request fewer scopes or audiences, or change config.access_token_format of the client to opaque tokens.',
  },
  signerIsReady: {
    name: 'signer_is_ready',
    detail: ({ client }) =>
      client?.config.accessTokenFormat === 'opaque'
        ? 'its tokens are opaque'
        : 'the server has an active signing key, or creates one',
    fix: 'Activate a key with ActivateSigningKey, or repeat the call: the server then creates a key.',
  },
  mintingIsWithinRate: {
    name: 'minting_is_within_rate',
    detail: () => 'each process counts separately',
    fix: 'Reuse tokens until they expire, so that the client mints fewer. The operator sets the rate with QSCOPE_MINT_RATE.',
  },
  liveTokensAreWithinQuota: {
    name: 'live_tokens_are_within_quota',
    detail: () => 'active tokens are counted periodically',
    fix: 'Reuse tokens until they expire, request shorter lifetimes, or call RevokeTokens. The operator sets the limit with QSCOPE_MAX_LIVE_TOKENS_PER_CLIENT.',
  },
})
