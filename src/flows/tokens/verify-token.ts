import { noteRefusal, type TokenRefusal } from '../../auth/token-refusal.ts'
import type { AccessToken } from '../../domain/access-token.ts'
import { beyond } from '../../domain/scopes.ts'
import { fail, HOLDS, success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { callerMayCheckTokens, type Viewer } from '../conditions/caller.ts'
import { type ActiveToken, evaluateToken, type Found, type PresentedToken } from '../conditions/presented-token.ts'
import { query } from '../flow.ts'

export interface VerifyTokenRequest extends PresentedToken {
  readonly requiredScopes: readonly string[]
  /** `null`: the caller does not name one. */
  readonly audience: string | null
  /** The thumbprint of the certificate that the bearer presented. `null`: none. */
  readonly presentedCertificate: string | null
}

const invalidToken = (because: 'presented' | 'presented_audience' | 'presented_certificate') =>
  fail('oauth.invalid_token', { metadata: { token: 'presented' }, because })

type FoundAccessToken = Extract<ActiveToken, { readonly use: 'access' }>
type Good = { readonly found: FoundAccessToken; readonly token: AccessToken }

/** `ended`: the reason why the token is no longer valid. `null`: it is valid. */
type Seen =
  | { readonly ended: null; readonly seen: ActiveToken }
  | { readonly ended: TokenRefusal; readonly seen: Found }

/**
 * RFC 6750 §3.1, invalid_token: malformed tokens, unknown ones and those hidden from the caller are not distinguished.
 */
const tokenIsKnown = condition<PresentedToken & { readonly viewer: Viewer }, Seen>(
  'tokenIsKnown',
  async (ctx, { presented, viewer }) => {
    const { found, refusal } = await evaluateToken(ctx, viewer, presented)
    if (refusal === null) return success({ seen: found, ended: null })
    if (found !== null && refusal !== 'not_visible') return success({ seen: found, ended: refusal })
    noteRefusal(ctx, refusal, found?.status.token ?? null)
    return invalidToken('presented')
  },
)

/**
 * RFC 6750 §3.1, invalid_token: neither the token nor its dependencies have ended. Callers cannot distinguish these
 * cases.
 */
const tokenIsInForce = condition<Seen, { readonly active: ActiveToken }>('tokenIsInForce', (ctx, { seen, ended }) => {
  if (ended === null) return success({ active: seen })
  noteRefusal(ctx, ended, seen.status.token)
  return invalidToken('presented')
})

/** RFC 6749 §1.5: a refresh token is for this server, never for a resource server. */
const tokenIsAccessToken = condition<{ readonly active: ActiveToken }, Good>(
  'tokenIsAccessToken',
  (ctx, { active }) => {
    if (active.use === 'access') return success({ found: active, token: active.status.token })
    noteRefusal(ctx, 'not_an_access_token', active.status.token)
    return invalidToken('presented')
  },
)

/** RFC 9068 §4: the audience that the resource server names must be an audience of the token. */
const tokenIsForAudience = condition<{ readonly token: AccessToken; readonly audience: string | null }>(
  'tokenIsForAudience',
  (ctx, { token, audience }) => {
    if (audience === null || token.audiences.includes(audience)) return HOLDS
    noteRefusal(ctx, 'wrong_audience', token)
    return invalidToken('presented_audience')
  },
)

/** RFC 8705 §3: a token that is bound to a certificate is valid only together with it. */
const bearerHoldsCertificate = condition<{
  readonly token: AccessToken
  readonly presentedCertificate: string | null
}>('bearerHoldsCertificate', (ctx, { token, presentedCertificate }) => {
  if (token.confirmation === null || token.confirmation === presentedCertificate) return HOLDS
  noteRefusal(ctx, 'certificate_mismatch', token)
  return invalidToken('presented_certificate')
})

/** RFC 6750 §3.1, insufficient_scope: every required scope is in the token. */
const tokenHasScopes = condition<{ readonly token: AccessToken; readonly requiredScopes: readonly string[] }>(
  'tokenHasScopes',
  (ctx, { token, requiredScopes }) => {
    if (beyond(requiredScopes, token.scopes).length === 0) return HOLDS
    noteRefusal(ctx, 'missing_scope', token)
    return fail('oauth.insufficient_scope', { metadata: { required_scopes: requiredScopes.join(' ') } })
  },
)

/** RFC 6750 §3, the resource server's side: the presented access token permits the request. */
export const verifyToken = query({
  name: 'verifyToken',
  preconditions: given<VerifyTokenRequest>()
    .and(callerMayCheckTokens)
    .and(tokenIsKnown)
    .and(tokenIsInForce)
    .and(tokenIsAccessToken)
    .and(tokenIsForAudience)
    .and(bearerHoldsCertificate)
    .and(tokenHasScopes),
  answer: (_ctx, { found }): FoundAccessToken => found,
})
