import { type ClientRegistration, DEFAULT_CLIENT_CONFIG } from '../../domain/client.ts'
import { clientId, epochMs, milliseconds } from '../../domain/ids.ts'
import {
  drawClientSecret,
  listClientSecrets,
  revokeClientSecret,
  rotateClientSecret,
} from '../../flows/clients/client-secrets.ts'
import {
  deleteClient,
  disableClient,
  enableClient,
  getClient,
  listClients,
} from '../../flows/clients/manage-clients.ts'
import { drawClientId, registerClient } from '../../flows/clients/register-client.ts'
import { rotateOwnSecret } from '../../flows/clients/rotate-own-secret.ts'
import { updateClient } from '../../flows/clients/update-client.ts'
import { explainMint } from '../../flows/grants/explain-mint.ts'
import { asClient, OPERATOR, SCOPES, type Scene } from './scene.ts'
import { flowStep, queryStep, type Step } from './step.ts'

export const REDIRECT_URI = 'https://app.example/callback'
const EVERYTHING = Object.freeze({ enabled: null, type: null, idPrefix: null, owner: null })
/** The size of a small page. */
const FEW = 2
const OVERLAP = milliseconds(60_000)
const LONG_AGO = 90 * 86_400_000
const ROTATING = Object.freeze({ ...DEFAULT_CLIENT_CONFIG, allowOwnRotation: true })

/** The registration of a sample client, with low token limits. */
function registration(scene: Scene, over: Partial<ClientRegistration>): ClientRegistration {
  return {
    clientId: clientId(drawClientId()),
    displayName: 'Sample',
    type: 'confidential',
    authenticationMethod: 'client_secret',
    jwks: null,
    jwksUri: null,
    tlsClientSubject: null,
    federatedIdentities: [],
    grantTypes: [
      'authorization_code',
      'client_credentials',
      'refresh_token',
      'device_code',
      'token_exchange',
      'jwt_bearer',
    ],
    redirectUris: [REDIRECT_URI],
    scopes: SCOPES,
    audiences: [scene.issuer.terms.issuer],
    resourceAudiences: [],
    config: {
      ...DEFAULT_CLIENT_CONFIG,
      maxActiveRefreshTokens: 2,
      maxActiveRefreshTokensPerUser: 1,
      maxActiveAccessTokens: 1,
      metadata: { team: 'samples' },
    },
    owner: null,
    ...over,
  }
}

const resource = (scene: Scene) => ({ clientId: scene.resource.get().client.clientId, etag: null })

/** Registers the clients of the other steps. */
export const CLIENT_STEPS: readonly Step[] = [
  flowStep(registerClient, {
    input: (scene) => ({
      registration: registration(scene, { clientId: scene.issuer.clientId }),
      importedHashes: [],
      enabled: true,
    }),
    keep: (scene, registered) => scene.service.set(registered),
  }),
  flowStep(registerClient, {
    variant: 'a resource server',
    // Every unique name is a valid issuer and audience.
    input: (scene) => ({
      registration: registration(scene, { resourceAudiences: [scene.issuer.terms.issuer] }),
      importedHashes: [],
      enabled: true,
    }),
    keep: (scene, registered) => scene.resource.set(registered),
  }),
  flowStep(registerClient, {
    variant: 'a public client',
    input: (scene) => ({
      registration: registration(scene, {
        type: 'public',
        authenticationMethod: 'none',
        grantTypes: ['device_code', 'refresh_token'],
        redirectUris: [],
      }),
      importedHashes: [],
      enabled: true,
    }),
    keep: (scene, registered) => scene.device.set(registered),
  }),
  queryStep(getClient, { input: (scene) => ({ clientId: scene.resource.get().client.clientId }) }),
  queryStep(listClients, {
    input: () => ({ filter: EVERYTHING, pageSize: 1, pageToken: '' }),
    keep: (scene, { nextPageToken }) => scene.nextPage.set(nextPageToken),
  }),
  queryStep(listClients, {
    variant: 'the next page',
    input: (scene) => ({ filter: EVERYTHING, pageSize: 1, pageToken: scene.nextPage.get() }),
  }),
  queryStep(listClients, {
    variant: 'by all filters',
    input: () => ({
      filter: { enabled: true, type: 'confidential' as const, idPrefix: 'client-', owner: 'samples' },
      pageSize: FEW,
      pageToken: '',
    }),
  }),
  queryStep(listClientSecrets, { input: (scene) => ({ clientId: scene.resource.get().client.clientId }) }),
  flowStep(rotateClientSecret, {
    input: (scene) => ({ clientId: scene.resource.get().client.clientId, overlap: OVERLAP, etag: null }),
  }),
  flowStep(registerClient, {
    variant: 'a client that rotates its secrets itself',
    input: (scene) => ({ registration: registration(scene, { config: ROTATING }), importedHashes: [], enabled: true }),
    keep: (scene, registered) => scene.rotating.set(registered),
  }),
  flowStep(rotateOwnSecret, {
    caller: (scene) => {
      const { client, secret } = scene.rotating.get()
      return { ...asClient(client), secretId: secret?.stored.secretId ?? null }
    },
    prepare: async (scene) => {
      const { client, secret } = scene.rotating.get()
      // The rotation removes an expired one that the client created.
      const old = {
        ...drawClientSecret({ ...scene.context(OPERATOR), services: scene.app.services }, client.clientId).stored,
        madeBy: secret?.stored.secretId ?? null,
      }
      const ended = { ...old, createdAt: epochMs(scene.now - LONG_AGO), expiresAt: epochMs(scene.now - LONG_AGO) }
      await scene.app.backend.transaction(scene.context(OPERATOR), async (stores) => {
        await stores.clientSecrets.insert(ended)
        return { commit: true, value: null }
      })
    },
    input: () => ({ lifetime: OVERLAP }),
  }),
  flowStep(revokeClientSecret, {
    input: (scene) => {
      const { client, secret } = scene.resource.get()
      if (secret === null) throw new Error('the resource server was registered with a secret')
      return { clientId: client.clientId, secretId: secret.stored.secretId }
    },
  }),
  flowStep(updateClient, {
    input: (scene) => ({
      clientId: scene.resource.get().client.clientId,
      changes: {
        displayName: 'Changed',
        resourceAudiences: [scene.issuer.terms.issuer, `${scene.issuer.terms.issuer}/more`],
      },
      etag: null,
      adopt: false,
    }),
  }),
  queryStep(explainMint, {
    input: (scene) => ({
      clientId: scene.service.get().client.clientId,
      grantType: 'client_credentials' as const,
      requestedScopes: [],
      requestedAudiences: [scene.issuer.terms.issuer],
      requestedLifetime: null,
    }),
  }),
  flowStep(disableClient, { input: resource }),
  flowStep(enableClient, { input: resource }),
]

/** Deletes the resource server. */
export const LAST_CLIENT_STEPS: readonly Step[] = [flowStep(deleteClient, { input: resource })]
