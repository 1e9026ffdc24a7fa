import { randomBytes } from '../../crypto/random.ts'
import { type ClientRegistration, DEFAULT_CLIENT_CONFIG } from '../../domain/client.ts'
import { clientId } from '../../domain/ids.ts'
import { PERMISSIONS } from '../../domain/scopes.ts'

/** What a client that administers QScope is registered as: it mints tokens with every permission. */
export function adminRegistration(id: string): ClientRegistration {
  return Object.freeze<ClientRegistration>({
    clientId: clientId(id),
    displayName: 'QScope administration',
    type: 'confidential',
    authenticationMethod: 'client_secret',
    jwks: null,
    tlsClientSubject: null,
    grantTypes: ['client_credentials'],
    redirectUris: [],
    scopes: PERMISSIONS,
    audiences: [],
    resourceAudiences: [],
    config: DEFAULT_CLIENT_CONFIG,
  })
}

/** An id for a client that was registered without one. */
export function drawClientId(): string {
  return `client-${randomBytes(10).toString('hex')}`
}
