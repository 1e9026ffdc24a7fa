import type { Client } from '../../domain/client.ts'
import type { Milliseconds } from '../../domain/ids.ts'
import { beyond, distinct, isReservedScope, isScopeToken } from '../../domain/scopes.ts'
import { fail, success } from '../../results.ts'
import { condition } from '../condition.ts'

/** What is asked of a token, whatever the grant. */
export interface TokenWishes {
  /** Empty: the default. */
  readonly requestedScopes: readonly string[]
  /** Empty: the default. */
  readonly requestedAudiences: readonly string[]
  /** `null`: the client's. */
  readonly requestedLifetime: Milliseconds | null
}

type OfClient = TokenWishes & { readonly client: Client }

/**
 * RFC 6749 §3.3: no scope beyond the client's own; none asked means all of them.
 * With audiences asked, that default leaves the management permissions out, for
 * their only audience is this service.
 */
export const scopesAreAllowed = condition<OfClient, { readonly scopes: readonly string[] }>(
  'scopesAreAllowed',
  (_ctx, { client, requestedScopes, requestedAudiences }) => {
    if (requestedScopes.length === 0) {
      const all = client.scopes
      return success({ scopes: requestedAudiences.length === 0 ? all : all.filter((scope) => !isReservedScope(scope)) })
    }
    const scopes = distinct(requestedScopes)
    const rejected = scopes.filter((scope) => !isScopeToken(scope) || !client.scopes.includes(scope))
    return rejected.length === 0
      ? success({ scopes })
      : fail('oauth.invalid_scope', { metadata: { rejected_scopes: rejected.join(' ') } })
  },
)

/** RFC 8707 §2: no audience but the client's own; a token with management permissions is for this service alone. */
export const audiencesAreAllowed = condition<
  OfClient & { readonly scopes: readonly string[] },
  { readonly audiences: readonly string[] }
>('audiencesAreAllowed', (ctx, { client, scopes, requestedAudiences }) => {
  const managing = scopes.some(isReservedScope)
  const requested = distinct(requestedAudiences)
  const rejected = beyond(requested, managing ? [ctx.services.issuer] : client.audiences)
  if (rejected.length > 0) return fail('oauth.invalid_target', { metadata: { rejected_audiences: rejected.join(' ') } })
  return success({ audiences: managing ? [ctx.services.issuer] : requested })
})

/** RFC 6749 §4.2.2, expires_in: a token may live shorter than its client's do, never longer. */
export const lifetimeIsAllowed = condition<OfClient, { readonly lifetime: Milliseconds }>(
  'lifetimeIsAllowed',
  (_ctx, { client, requestedLifetime }) => {
    const longest = client.config.accessTokenTtl
    if (requestedLifetime === null) return success({ lifetime: longest })
    if (requestedLifetime <= longest) return success({ lifetime: requestedLifetime })
    const description = `must be at most the client's access_token_ttl, ${longest / 1_000} s`
    return fail('oauth.invalid_request', { violations: [{ field: 'lifetime', description }] })
  },
)
