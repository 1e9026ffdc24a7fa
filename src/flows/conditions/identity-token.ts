import type { Client } from '../../domain/client.ts'
import { distinct } from '../../domain/scopes.ts'
import { HOLDS, invalidRequest } from '../../results.ts'
import { condition } from '../condition.ts'

interface ForAudiences {
  readonly client: Client
  readonly audiences: readonly string[]
}

/** An identity token is for exactly one audience: whoever else it named could show it there, as its subject. */
export const identityHasOneAudience = condition<ForAudiences>(
  'identityHasOneAudience',
  (_ctx, { client: { config }, audiences }) =>
    config.accessTokenFormat !== 'identity_jwt' || audiences.length === 1
      ? HOLDS
      : invalidRequest('audiences', 'must have exactly one item for an identity token'),
)

/** As `identityHasOneAudience`, before it is known for which audience it is where none is asked. */
export const identityIsAskedForOneAudience = condition<
  Pick<ForAudiences, 'client'> & { readonly requestedAudiences: readonly string[] }
>('identityIsAskedForOneAudience', (ctx, { client, requestedAudiences }) =>
  distinct(requestedAudiences).length > 1
    ? identityHasOneAudience.check(ctx, { client, audiences: distinct(requestedAudiences) })
    : HOLDS,
)

/** Nothing is consented to of which no identity token could be made: each is for one of the consent's audiences. */
export const identityHasAudiences = condition<ForAudiences>(
  'identityHasAudiences',
  (_ctx, { client: { config }, audiences }) =>
    config.accessTokenFormat !== 'identity_jwt' || audiences.length > 0
      ? HOLDS
      : invalidRequest('audiences', 'must have at least one item for identity tokens'),
)
