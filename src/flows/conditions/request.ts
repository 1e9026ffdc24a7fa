import type { Client } from '../../domain/client.ts'
import type { Milliseconds } from '../../domain/ids.ts'
import { beyond, distinct, isReservedScope, isScopeToken } from '../../domain/scopes.ts'
import { type FailedResult, fail, invalidRequest, type Result, success } from '../../results.ts'
import { condition } from '../condition.ts'
import type { FlowContext } from '../context.ts'

/** What is asked of a token, whatever the grant. */
export interface TokenRequest {
  /** Empty: the default. */
  readonly requestedScopes: readonly string[]
  /** Empty: the default. */
  readonly requestedAudiences: readonly string[]
  /** `null`: the client's. */
  readonly requestedLifetime: Milliseconds | null
}

type ForClient = Pick<TokenRequest, 'requestedScopes' | 'requestedAudiences'> & { readonly client: Client }

/** RFC 6749 §3.3: no scope beyond the allowed ones, each well-formed. */
export function evaluateScopes(
  requested: readonly string[],
  allowed: readonly string[],
): Result<{ readonly scopes: readonly string[] }> {
  const scopes = distinct(requested)
  const rejected = scopes.filter((scope) => !isScopeToken(scope) || !allowed.includes(scope))
  return rejected.length === 0 ? success({ scopes }) : refuseScopes(rejected)
}

/**
 * As `evaluateScopes`; none asked means all the allowed ones. Where none is left of
 * what was granted, nothing is issued: a token without scopes is not what was meant.
 */
export function defaultScopes(
  requested: readonly string[],
  allowed: readonly string[],
  granted: readonly string[],
): Result<{ readonly scopes: readonly string[] }> {
  if (requested.length > 0) return evaluateScopes(requested, allowed)
  return allowed.length === 0 && granted.length > 0 ? refuseScopes(granted) : success({ scopes: allowed })
}

/** RFC 6749 §5.2, invalid_scope: what is asked for, or was granted once, is not to be had. */
export function refuseScopes(rejected: readonly string[]): FailedResult {
  return fail('oauth.invalid_scope', { metadata: { rejected_scopes: rejected.join(' ') } })
}

/** RFC 8707 §2, invalid_target, likewise. */
export function refuseAudiences(rejected: readonly string[]): FailedResult {
  return fail('oauth.invalid_target', { metadata: { rejected_audiences: rejected.join(' ') } })
}

/**
 * A client's own token: no scope beyond the client's; none asked means all of
 * them. With audiences asked, that default leaves the management permissions
 * out, for their only audience is this service.
 */
export const scopesAreAllowed = condition<ForClient, { readonly scopes: readonly string[] }>(
  'scopesAreAllowed',
  (_ctx, { client, requestedScopes, requestedAudiences }) => {
    if (requestedScopes.length > 0) return evaluateScopes(requestedScopes, client.scopes)
    return success({ scopes: requestedAudiences.length === 0 ? client.scopes : withoutPermissions(client.scopes) })
  },
)

/** A user's consent: as above, but management permissions are nothing a user can delegate. */
export const delegatedScopesAreAllowed = condition<ForClient, { readonly scopes: readonly string[] }>(
  'delegatedScopesAreAllowed',
  (_ctx, { client, requestedScopes }) => {
    const allowed = withoutPermissions(client.scopes)
    return requestedScopes.length > 0 ? evaluateScopes(requestedScopes, allowed) : success({ scopes: allowed })
  },
)

/** The scopes that are not permissions of this server. */
export function withoutPermissions(scopes: readonly string[]): readonly string[] {
  return scopes.filter((scope) => !isReservedScope(scope))
}

/**
 * RFC 8707 §2: no audience but the client's own, and none whose resource server
 * was disabled or deleted; a token with management permissions is for this
 * service alone.
 */
export const audiencesAreAllowed = condition<
  ForClient & { readonly scopes: readonly string[] },
  { readonly audiences: readonly string[] }
>('audiencesAreAllowed', (ctx, { client, scopes, requestedAudiences }) => {
  const managing = scopes.some(isReservedScope)
  const requested = distinct(requestedAudiences)
  const rejected = beyond(requested, managing ? [ctx.services.issuer] : client.audiences)
  if (rejected.length > 0) return refuseAudiences(rejected)
  if (managing) return success({ audiences: [ctx.services.issuer] })
  return requested.length === 0 ? success({ audiences: requested }) : requireOpen(ctx, requested)
})

async function requireOpen(
  ctx: FlowContext,
  audiences: readonly string[],
): Promise<Result<{ readonly audiences: readonly string[] }>> {
  const open = await openAmong(ctx, audiences)
  return open.length === audiences.length ? success({ audiences }) : refuseAudiences(beyond(audiences, open))
}

/** Those audiences whose resource server, where one is registered for them, is enabled. */
export async function openAmong(ctx: FlowContext, audiences: readonly string[]): Promise<readonly string[]> {
  if (audiences.length === 0) return audiences
  const closed = await Promise.all(audiences.map((audience) => ctx.stores.clients.isAudienceClosed(ctx, audience)))
  return closed.includes(true) ? audiences.filter((_audience, index) => closed[index] === false) : audiences
}

/** RFC 6749 §4.2.2, expires_in: a token may live shorter than its client's do, never longer. */
export const lifetimeIsAllowed = condition<
  TokenRequest & { readonly client: Client },
  { readonly lifetime: Milliseconds }
>('lifetimeIsAllowed', (_ctx, { client, requestedLifetime }) => {
  const longest = client.config.accessTokenTtl
  if (requestedLifetime === null) return success({ lifetime: longest })
  if (requestedLifetime <= longest) return success({ lifetime: requestedLifetime })
  const description = `must be at most the client's access_token_ttl, ${longest / 1_000} s`
  return invalidRequest('lifetime', description)
})
