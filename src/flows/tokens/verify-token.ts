import type { AccessToken, AccessTokenStanding } from '../../domain/access-token.ts'
import { beyond } from '../../domain/scopes.ts'
import { fail, HOLDS, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { callerMayCheckTokens, type Viewer } from '../conditions/caller.ts'
import { type PresentedToken, presentedTokenIsLookedUp, visibleToken } from '../conditions/presented-token.ts'
import { defineFlow } from '../flow.ts'

interface VerifyTokenRequest extends PresentedToken {
  readonly requiredScopes: readonly string[]
  /** `null`: the caller does not ask. */
  readonly audience: string | null
}

const invalidToken = () => fail('oauth.invalid_token', { metadata: { token: 'presented' } })

/** RFC 6750 §3.1, invalid_token: expired, revoked, malformed and invalid for other reasons are one. */
const tokenIsGood = condition<
  { readonly viewer: Viewer; readonly standing: AccessTokenStanding | null },
  { readonly token: AccessToken }
>('tokenIsGood', (ctx, { viewer, standing }) => {
  const token = visibleToken(ctx, viewer, standing)
  return token === null ? invalidToken() : success({ token })
})

/** RFC 9068 §4: the resource server finds itself in the audience it names, or refuses. */
const tokenIsForAudience = condition<{ readonly token: AccessToken; readonly audience: string | null }>(
  'tokenIsForAudience',
  (_ctx, { token, audience }) => (audience === null || token.audiences.includes(audience) ? HOLDS : invalidToken()),
)

/** RFC 6750 §3.1, insufficient_scope: every required scope is in the token. */
const tokenHasScopes = condition<{ readonly token: AccessToken; readonly requiredScopes: readonly string[] }>(
  'tokenHasScopes',
  (_ctx, { token, requiredScopes }) =>
    beyond(requiredScopes, token.scopes).length === 0
      ? HOLDS
      : fail('oauth.insufficient_scope', { metadata: { required_scopes: requiredScopes.join(' ') } }),
)

/** RFC 6750 §3, the resource server's side: the presented access token permits what is asked. */
export const verifyToken = defineFlow({
  name: 'verifyToken',
  lane: 'read',
  preconditions: given<VerifyTokenRequest>()
    .and(callerMayCheckTokens)
    .and(presentedTokenIsLookedUp)
    .and(tokenIsGood)
    .and(tokenIsForAudience)
    .and(tokenHasScopes),
  run: (_ctx, { token }): AccessToken => token,
  postconditions: [],
})
