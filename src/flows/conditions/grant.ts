import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { AuditEventType } from '../../domain/audit-event.ts'
import type { Client } from '../../domain/client.ts'
import type { Grant } from '../../domain/grant.ts'
import { beyond, distinct } from '../../domain/scopes.ts'
import { fail, type Result, success } from '../../results.ts'
import { condition, type Refusal } from '../condition.ts'
import { evaluateScopes, openAmong, refuseAudiences, refuseScopes } from './request.ts'

/**
 * RFC 9700 §4.5, §4.14: a spent token or code was presented again, so one of two holders is not the client. The family
 * is revoked before the caller is refused.
 */
export function refuseReuse(grant: Grant, type: AuditEventType): Refusal {
  return {
    ...fail('oauth.invalid_grant'),
    effect: async (ctx) => {
      const { grantId, clientId, userId } = grant
      if (await ctx.stores.grants.revoke(grant, type, { at: ctx.now, by: actorOf(ctx) })) {
        await ctx.stores.auditLog.append(auditEvent(ctx, type, { grantId, clientId, userId }))
      }
      return undefined
    },
  }
}

/** The scopes and audiences of a consent for which the client is still registered. */
export type EffectiveScope = Pick<Grant, 'scopes' | 'audiences'>

/** The part of the consent for which the client is registered now. */
export function effectiveScopeOf({ scopes, audiences }: Grant, client: Client): EffectiveScope {
  return {
    scopes: scopes.filter((scope) => client.scopes.includes(scope)),
    audiences: audiences.filter((audience) => client.audiences.includes(audience)),
  }
}

/**
 * RFC 9700 §2.3: a grant with audiences must still have one. Its client may have lost them, or they may have no owner
 * any more. Otherwise the token would be valid for any audience. A grant must also have a scope left (RFC 6749 §3.3).
 */
export const grantStillReaches = condition<
  { readonly client: Client; readonly status: { readonly grant: Grant } },
  { readonly effective: EffectiveScope }
>('grantStillReaches', async (ctx, { client, status: { grant } }) => {
  const { scopes, audiences } = effectiveScopeOf(grant, client)
  if (scopes.length === 0 && grant.scopes.length > 0) return refuseScopes(grant.scopes)
  const open = await openAmong(ctx, audiences)
  return open.length === 0 && grant.audiences.length > 0
    ? refuseAudiences(grant.audiences)
    : success({ effective: { scopes, audiences: open } })
})

/** RFC 6749 §6: scopes within the grant's effective scope. If none are requested, all of them. */
export function narrowedScopes(
  requested: readonly string[],
  effective: EffectiveScope,
): Result<{ readonly scopes: readonly string[] }> {
  return requested.length === 0 ? success({ scopes: effective.scopes }) : evaluateScopes(requested, effective.scopes)
}

/** The restrictions that a client requests for the access token when it redeems a grant. */
export interface NarrowedTarget {
  /** Empty: all audiences of the grant. */
  readonly requestedAudiences: readonly string[]
}

/**
 * RFC 8707 §2.2: the access token is for the requested ones among the grant's audiences. If none are requested, it is
 * for all of them. For a grant without audiences none can be requested, because the user consented to none.
 */
export const audiencesAreWithinGrant = condition<
  NarrowedTarget & { readonly effective: EffectiveScope },
  { readonly audiences: readonly string[] }
>('audiencesAreWithinGrant', (_ctx, { effective, requestedAudiences }) => {
  if (requestedAudiences.length === 0) return success({ audiences: effective.audiences })
  const audiences = distinct(requestedAudiences)
  const rejected = beyond(audiences, effective.audiences)
  return rejected.length > 0 ? refuseAudiences(rejected) : success({ audiences })
})
