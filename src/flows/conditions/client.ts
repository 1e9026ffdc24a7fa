import { type Client, etagOf, type GrantType } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { fail, HOLDS, success } from '../../results.ts'
import { condition } from '../condition.ts'
import type { ScopesAtStake } from './caller.ts'

/** A management call names a client that exists; adds it, and the permissions at stake in touching it. */
export const clientExists = condition<{ readonly clientId: ClientId }, { readonly client: Client } & ScopesAtStake>(
  'clientExists',
  async (ctx, { clientId }) => {
    const client = await ctx.stores.clients.find(ctx, clientId)
    return client === null
      ? fail('resource.not_found', { resource: { type: 'client', name: clientId } })
      : success({ client, scopesAtStake: client.scopes })
  },
)

/** AIP-154: the client is still the one that was read. An etag of `null` stands for whatever version. */
export const etagIsCurrent = condition<{ readonly client: Client; readonly etag: string | null }>(
  'etagIsCurrent',
  (_ctx, { client, etag }) =>
    etag === null || etag === etagOf(client) ? HOLDS : fail('resource.conflict', { because: 'etag' }),
)

/** RFC 6749 §4.1.2.1, unauthorized_client: the client is let in, and registered for the grant it asks a user for. */
export function clientMayObtainConsent(grant: GrantType) {
  return condition<{ readonly client: Client }>(`clientMayObtainConsent(${grant})`, (_ctx, { client }) =>
    client.enabled && client.grantTypes.includes(grant) ? HOLDS : fail('oauth.unauthorized_client'),
  )
}
