import type { Client } from '../../domain/client.ts'
import type { Milliseconds } from '../../domain/ids.ts'
import { beyond, distinct, isReservedScope, isScopeToken } from '../../domain/scopes.ts'
import { type FailedResult, fail, invalidRequest, type Result, success } from '../../results.ts'
import { condition } from '../condition.ts'
import type { FlowContext } from '../context.ts'

/** The parameters of a token request, for any grant. */
export interface TokenRequest {
  /** Empty: the default. */
  readonly requestedScopes: readonly string[]
  /** Empty: the default. */
  readonly requestedAudiences: readonly string[]
  /** `null`: the client's default. */
  readonly requestedLifetime: Milliseconds | null
}

type ForClient = Pick<TokenRequest, 'requestedScopes' | 'requestedAudiences'> & { readonly client: Client }

/** RFC 6749 §3.3: every scope is well-formed and allowed. */
export function evaluateScopes(
  requested: readonly string[],
  allowed: readonly string[],
): Result<{ readonly scopes: readonly string[] }> {
  const scopes = distinct(requested)
  const rejected = scopes.filter((scope) => !isScopeToken(scope) || !allowed.includes(scope))
  return rejected.length === 0 ? success({ scopes }) : refuseScopes(rejected)
}

/**
 * Like `evaluateScopes`; if none are requested, all the allowed ones. If no allowed scope is left, the request is
 * refused, because a token without scopes was not intended.
 */
export function defaultScopes(
  requested: readonly string[],
  allowed: readonly string[],
  granted: readonly string[],
): Result<{ readonly scopes: readonly string[] }> {
  if (requested.length > 0) return evaluateScopes(requested, allowed)
  return allowed.length === 0 && granted.length > 0 ? refuseScopes(granted) : success({ scopes: allowed })
}

/** RFC 6749 §5.2, invalid_scope: the requested or once granted scopes are not available. */
export function refuseScopes(rejected: readonly string[]): FailedResult {
  return fail('oauth.invalid_scope', { metadata: { rejected_scopes: rejected.join(' ') } })
}

/** The same for audiences: RFC 8707 §2, invalid_target. */
export function refuseAudiences(rejected: readonly string[]): FailedResult {
  return fail('oauth.invalid_target', { metadata: { rejected_audiences: rejected.join(' ') } })
}

/**
 * A client's own token: the scopes must be the client's; if none are requested, all of them. If audiences are
 * requested, the default excludes the management permissions, because their only audience is this service.
 */
export const scopesAreAllowed = condition<ForClient, { readonly scopes: readonly string[] }>(
  'scopesAreAllowed',
  (_ctx, { client, requestedScopes, requestedAudiences }) => {
    if (requestedScopes.length > 0) return evaluateScopes(requestedScopes, client.scopes)
    return success({ scopes: requestedAudiences.length === 0 ? client.scopes : withoutPermissions(client.scopes) })
  },
)

/** A user's consent: the same, but a user cannot delegate management permissions. */
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
 * RFC 8707 §2: the audiences must be the client's own, and their resource servers must not be disabled or deleted. A
 * token with management permissions is for this service alone.
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

/** The audiences whose resource server is enabled, or that have no registered resource server. */
export async function openAmong(ctx: FlowContext, audiences: readonly string[]): Promise<readonly string[]> {
  if (audiences.length === 0) return audiences
  const closed = await Promise.all(audiences.map((audience) => ctx.stores.clients.isAudienceClosed(ctx, audience)))
  return closed.includes(true) ? audiences.filter((_audience, index) => closed[index] === false) : audiences
}

/** RFC 6749 §4.2.2, expires_in: a token may have a shorter lifetime than the client's setting, never a longer one. */
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
