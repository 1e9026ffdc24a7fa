import type { Caller } from '../../context.ts'
import type { Client, GrantType } from '../../domain/client.ts'
import { GRANT_TYPE_NAMES } from '../../domain/grant-type-names.ts'
import { isPermission } from '../../domain/scopes.ts'
import { fail, HOLDS, type Result, success } from '../../results.ts'
import { condition } from '../condition.ts'

/** RFC 6749 §2.3: the call has client credentials, and they are valid. */
export const callerIsClient = condition<object, { readonly client: Client }>('callerIsClient', ({ caller }) =>
  caller.kind === 'client' ? success({ client: caller.client }) : fail('oauth.invalid_client', { because: 'missing' }),
)

/** RFC 6749 §5.2, unauthorized_client: the client is registered for the grant. */
export function grantIsAllowed(grant: GrantType) {
  return condition<{ readonly client: Client }>(`grantIsAllowed(${grant})`, (_ctx, { client }) =>
    isRegisteredFor(client, grant),
  )
}

/** Refuses a client that is not registered for a grant. The refusal names the grant type. */
export function isRegisteredFor(client: Client, grant: GrantType): Result<object> {
  return client.grantTypes.includes(grant)
    ? HOLDS
    : fail('oauth.unauthorized_client', { because: 'grant', metadata: { grant_type: GRANT_TYPE_NAMES[grant] } })
}

/** The tokens that a caller may see: all, or only those that concern one client. */
export type Viewer = { readonly kind: 'everyone' } | { readonly kind: 'client'; readonly client: Client }

/** RFC 7662 §2.1: the endpoint is for protected resources. A public client cannot authenticate as one. */
export const callerMayCheckTokens = condition<object, { readonly viewer: Viewer }>(
  'callerMayCheckTokens',
  ({ caller }) => {
    switch (caller.kind) {
      case 'client':
        return caller.client.type === 'public'
          ? fail('oauth.unauthorized_client', { because: 'public' })
          : success({ viewer: { kind: 'client', client: caller.client } })
      case 'bearer':
      case 'operator':
      case 'system':
        return success({ viewer: { kind: 'everyone' } })
      case 'anonymous':
        return fail('oauth.invalid_client', { because: 'missing' })
      default:
        return caller satisfies never
    }
  },
)

/** Scopes that a client has before or after a change. */
export interface ScopesAtStake {
  readonly scopesAtStake: readonly string[]
}

/** A caller cannot grant, or gain control of, a permission that its own token lacks. */
export const callerHoldsPermissionsAtStake = condition<ScopesAtStake>(
  'callerHoldsPermissionsAtStake',
  ({ caller }, { scopesAtStake }) => holdsPermissions(caller, scopesAtStake),
)

/** Refuses a caller whose token lacks one of the permissions in these scopes. The refusal names the missing ones. */
export function holdsPermissions(caller: Caller, scopes: readonly string[]): Result<object> {
  if (caller.kind === 'operator') return HOLDS
  const held: ReadonlySet<string> = caller.kind === 'bearer' ? caller.permissions : new Set()
  const missing = [...new Set(scopes)].filter((scope) => isPermission(scope) && !held.has(scope))
  return missing.length === 0
    ? HOLDS
    : fail('oauth.insufficient_scope', { metadata: { required_scopes: missing.join(' ') } })
}
