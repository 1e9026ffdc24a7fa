import { actorOf } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { drawToken, hashToken } from '../../crypto/token.ts'
import type { Client } from '../../domain/client.ts'
import { expiryAfter } from '../../domain/expiry.ts'
import type { AuthorizationCode, Grant } from '../../domain/grant.ts'
import { authorizationCodeId, type ClientId, type RawToken } from '../../domain/ids.ts'
import { redirectUriMatches } from '../../domain/redirect-uri.ts'
import type { User } from '../../domain/user.ts'
import { HOLDS, invalidRequest } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { clientExists, clientMayObtainConsent } from '../conditions/client.ts'
import type { TokenRequest } from '../conditions/request.ts'
import { type ReferredUser, userIsActive, userIsKnownOrNew } from '../conditions/user.ts'
import { defineFlow } from '../flow.ts'
import { consentConditions, draftGrant, storeConsent } from './consent.ts'

interface Consent extends ReferredUser, Pick<TokenRequest, 'requestedScopes' | 'requestedAudiences'> {
  readonly clientId: ClientId
  readonly redirectUri: string
  /** S256. `null`: the client sent none. */
  readonly codeChallenge: string | null
  /** Whether the method was given. S256 is the only one. */
  readonly challengeMethodNamed: boolean
}

/** A code for the client's redirect: the stored form, and the value, available only now. */
export interface IssuedAuthorizationCode {
  readonly code: AuthorizationCode
  readonly value: RawToken
  readonly grant: Grant
}

/** RFC 9700 §2.1, RFC 6749 §3.1.2.3: the redirect URI is registered for the client. */
const redirectUriIsRegistered = condition<{ readonly client: Client; readonly redirectUri: string }>(
  'redirectUriIsRegistered',
  (_ctx, { client, redirectUri }) =>
    client.redirectUris.some((registered) => redirectUriMatches(registered, redirectUri))
      ? HOLDS
      : invalidRequest('redirect_uri', 'is not registered for the client'),
)

/** RFC 7636 §4.4.1, RFC 9700 §2.1.1: a challenge is present if the client must use PKCE, and its method is S256. */
const challengeIsGiven = condition<Consent & { readonly client: Client }>('challengeIsGiven', (_ctx, facts) => {
  const { client, codeChallenge, challengeMethodNamed } = facts
  const mustHave = client.config.requirePkce || client.type === 'public'
  if (codeChallenge === null && mustHave)
    return invalidRequest('code_challenge', 'is required for this client (RFC 7636)')
  if ((codeChallenge !== null) !== challengeMethodNamed) {
    return invalidRequest('code_challenge_method', 'must be S256 with a code_challenge, and absent without one')
  }
  return HOLDS
})

type Issued = { readonly issued: IssuedAuthorizationCode }

const consentIsStored = postcondition<{ readonly user: User; readonly userIsNew: boolean } & Issued, TransactionStores>(
  'consentIsStored',
  async (ctx, facts) => {
    if (!(await storeConsent(ctx, facts, facts.issued.grant))) return LOST_RACE
    await ctx.stores.authorizationCodes.insert(facts.issued.code)
    return HOLDS
  },
)

/** RFC 6749 §4.1.2: the front end that owns login and consent reports a consent, and gets the code for the redirect. */
export const createAuthorizationCode = defineFlow({
  name: 'createAuthorizationCode',
  lane: 'transaction',
  preconditions: given<Consent>()
    .and(clientExists)
    .and(clientMayObtainConsent('authorization_code'))
    .and(redirectUriIsRegistered)
    .and(challengeIsGiven)
    .followedBy(consentConditions)
    .and(userIsKnownOrNew)
    .and(userIsActive),
  run: (ctx, facts): IssuedAuthorizationCode => {
    const value = drawToken('authorization_code')
    const expiresAt = expiryAfter(ctx.now, facts.client.config.authorizationCodeTtl)
    const grant = draftGrant(ctx, facts, expiresAt)
    const code: AuthorizationCode = Object.freeze({
      codeId: authorizationCodeId(uuidV7()),
      hash: hashToken(value),
      grantId: grant.grantId,
      redirectUri: facts.redirectUri,
      codeChallenge: facts.codeChallenge,
      createdAt: ctx.now,
      createdBy: actorOf(ctx),
      expiresAt,
      consumedAt: null,
      rayId: ctx.rayId,
    })
    return { code, value, grant }
  },
  postconditions: [consentIsStored],
})
