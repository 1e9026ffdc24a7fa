import { fail, HOLDS } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { query } from '../flow.ts'

interface NamedResource {
  readonly resource: string
}

/**
 * RFC 9728 §1.2: a resource identifier is an https URL. Client ids, which are audiences as well, are not resources and
 * are not disclosed.
 */
const RESOURCE = /^https:\/\//

/**
 * RFC 9728 §3.2: metadata exists for the resources that a client owns. Anonymous callers may read it, so it does not
 * depend on whether that client is disabled.
 */
const resourceIsRegistered = condition<NamedResource>('resourceIsRegistered', async (ctx, { resource }) => {
  const isRegistered =
    RESOURCE.test(resource) && (await ctx.stores.clients.audienceOwners(ctx, [resource])).has(resource)
  return isRegistered ? HOLDS : fail('resource.not_found', { resource: { type: 'protected_resource', name: resource } })
})

/** RFC 9728 §2: the metadata that clients need before they request tokens for a resource. */
export const getProtectedResource = query({
  name: 'getProtectedResource',
  preconditions: given<NamedResource>().and(resourceIsRegistered),
  answer: (ctx, { resource }) => ({ resource, authorizationServers: [ctx.services.issuer] }),
})
