import { CLIENT_KEYS, readKeySet } from '../../crypto/key-set.ts'
import type { Client, ClientRegistration, GrantType } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { metadataProblems, type RegistrationProblem, redirectUriProblems } from '../../domain/registration.ts'
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

/** RFC 6749 §4.1.2.1, unauthorized_client: the client is let in, and registered for the grant it asks a user for. */
export function clientMayObtainConsent(grant: GrantType) {
  return condition<{ readonly client: Client }>(`clientMayObtainConsent(${grant})`, (_ctx, { client }) =>
    client.enabled && client.grantTypes.includes(grant) ? HOLDS : fail('oauth.unauthorized_client'),
  )
}

type Registering = { readonly registration: ClientRegistration }

/** RFC 7591 §3.2.2: the registration is acceptable in itself. */
export const registrationIsSound = condition<Registering>('registrationIsSound', (ctx, { registration }) => {
  const metadata = [...metadataProblems(registration, ctx.services.issuer), ...keySetProblems(registration)]
  if (metadata.length > 0) return fail('registration.invalid_client_metadata', { violations: metadata })
  const redirects = redirectUriProblems(registration)
  return redirects.length > 0 ? fail('registration.invalid_redirect_uri', { violations: redirects }) : HOLDS
})

function keySetProblems({ jwks }: ClientRegistration): readonly RegistrationProblem[] {
  const read = jwks === null ? null : readKeySet(jwks, CLIENT_KEYS)
  return read === null || read.ok ? [] : read.problems.map((description) => ({ field: 'jwks', description }))
}

/** An audience has one owner: nobody else may answer for it, and so see its tokens. */
export const audiencesAreFree = condition<Registering>('audiencesAreFree', async (ctx, { registration }) => {
  const { clientId, resourceAudiences } = registration
  const owners = await ctx.stores.clients.audienceOwners(ctx, resourceAudiences)
  const violations = resourceAudiences.flatMap((audience, index) => {
    const owner = owners.get(audience)
    return owner === undefined || owner === clientId
      ? []
      : [{ field: `resource_audiences[${index}]`, description: 'belongs to another client' }]
  })
  return violations.length > 0 ? fail('registration.invalid_client_metadata', { violations }) : HOLDS
})
