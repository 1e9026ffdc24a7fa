import type { Client } from '../../domain/client.ts'
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
      : invalidRequest('audiences', 'must be exactly one for an identity token'),
)

/** Nothing is consented to of which no identity token could be made: each is for one of the consent's audiences. */
export const identityHasAudiences = condition<ForAudiences>(
  'identityHasAudiences',
  (_ctx, { client: { config }, audiences }) =>
    config.accessTokenFormat !== 'identity_jwt' || audiences.length > 0
      ? HOLDS
      : invalidRequest('audiences', 'must be at least one for identity tokens'),
)
