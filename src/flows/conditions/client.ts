import { type Client, etagOf, type GrantType } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { fail, HOLDS, success } from '../../results.ts'
import { condition } from '../condition.ts'
import { isRegisteredFor, type ScopesAtStake } from './caller.ts'

/** A management call names an existing client. Adds the client, and the permissions at stake. */
export const clientExists = condition<{ readonly clientId: ClientId }, { readonly client: Client } & ScopesAtStake>(
  'clientExists',
  async (ctx, { clientId }) => {
    const client = await ctx.stores.clients.find(ctx, clientId)
    return client === null
      ? fail('resource.not_found', { resource: { type: 'client', name: clientId } })
      : success({ client, scopesAtStake: client.scopes })
  },
)

/** AIP-154: the client is unchanged since it was read. An etag of `null` matches any version. */
export const etagIsCurrent = condition<{ readonly client: Client; readonly etag: string | null }>(
  'etagIsCurrent',
  (_ctx, { client, etag }) =>
    etag === null || etag === etagOf(client) ? HOLDS : fail('resource.conflict', { because: 'etag' }),
)

/**
 * RFC 6749 §4.1.2.1, unauthorized_client: the client is enabled, and registered for the grant for which it needs a
 * user's consent.
 */
export function clientMayObtainConsent(grant: GrantType) {
  return condition<{ readonly client: Client }>(`clientMayObtainConsent(${grant})`, (_ctx, { client }) =>
    client.enabled ? isRegisteredFor(client, grant) : fail('oauth.unauthorized_client'),
  )
}
