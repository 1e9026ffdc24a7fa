import type { Client } from '../../domain/client.ts'
import { distinct } from '../../domain/scopes.ts'
import { HOLDS, invalidRequest } from '../../results.ts'
import { condition } from '../condition.ts'

interface ForAudiences {
  readonly client: Client
  readonly audiences: readonly string[]
}

/** An identity token has exactly one audience. Any further audience could present it to the first, as its subject. */
export const identityHasOneAudience = condition<ForAudiences>(
  'identityHasOneAudience',
  (_ctx, { client: { config }, audiences }) =>
    config.accessTokenFormat !== 'identity_jwt' || audiences.length === 1
      ? HOLDS
      : invalidRequest('audiences', 'must have exactly one item for an identity token'),
)

/** Like `identityHasOneAudience`, before the default audience is known. */
export const identityIsAskedForOneAudience = condition<
  Pick<ForAudiences, 'client'> & { readonly requestedAudiences: readonly string[] }
>('identityIsAskedForOneAudience', (ctx, { client, requestedAudiences }) =>
  distinct(requestedAudiences).length > 1
    ? identityHasOneAudience.check(ctx, { client, audiences: distinct(requestedAudiences) })
    : HOLDS,
)

/** A consent must allow an identity token. Each identity token is for one of the consent's audiences. */
export const identityHasAudiences = condition<ForAudiences>(
  'identityHasAudiences',
  (_ctx, { client: { config }, audiences }) =>
    config.accessTokenFormat !== 'identity_jwt' || audiences.length > 0
      ? HOLDS
      : invalidRequest('audiences', 'must have at least one item for identity tokens'),
)
