import { z } from 'zod'
import { type ForeignClient, type GrantName, type Import, specOf } from './imported-client.ts'

/** The used members of a client in the export of a Keycloak realm. */
const KEYCLOAK_CLIENT = z.looseObject({
  clientId: z.string(),
  name: z.string().nullish(),
  enabled: z.boolean().nullish(),
  protocol: z.string().nullish(),
  clientAuthenticatorType: z.string().nullish(),
  secret: z.string().nullish(),
  redirectUris: z.array(z.string()).nullish(),
  bearerOnly: z.boolean().nullish(),
  publicClient: z.boolean().nullish(),
  standardFlowEnabled: z.boolean().nullish(),
  implicitFlowEnabled: z.boolean().nullish(),
  directAccessGrantsEnabled: z.boolean().nullish(),
  serviceAccountsEnabled: z.boolean().nullish(),
  attributes: z.record(z.string(), z.unknown()).nullish(),
  defaultClientScopes: z.array(z.string()).nullish(),
  optionalClientScopes: z.array(z.string()).nullish(),
})

const KEYCLOAK_USER = z.looseObject({
  id: z.string().nullish(),
  username: z.string().nullish(),
  enabled: z.boolean().nullish(),
  serviceAccountClientId: z.string().nullish(),
})

const KEYCLOAK_REALM = z.looseObject({
  realm: z.string(),
  accessTokenLifespan: z.number().nullish(),
  clients: z.array(KEYCLOAK_CLIENT).nullish(),
  users: z.array(KEYCLOAK_USER).nullish(),
})

type KeycloakClient = z.infer<typeof KEYCLOAK_CLIENT>

/** Keycloak's own clients, which every realm has. */
const OWN_CLIENTS: ReadonlySet<string> = new Set([
  'account',
  'account-console',
  'admin-cli',
  'broker',
  'realm-management',
  'security-admin-console',
])

/** Keycloak's own scopes, which control the content of a token, not its permissions. */
const OWN_SCOPES: ReadonlySet<string> = new Set([
  'acr',
  'basic',
  'microprofile-jwt',
  'roles',
  'service_account',
  'web-origins',
])

/** Keycloak's replacement for a secret that the exporting user may not see. */
const MASKED = /^\*+$/

/** Reads the export of a realm. Throws an error of one line if the input is not one. */
export async function importKeycloak(exported: unknown): Promise<Import> {
  const parsed = KEYCLOAK_REALM.safeParse(exported)
  if (!parsed.success)
    throw new Error('the file is not an export of a Keycloak realm, with a realm and clients that have a clientId')
  const { clients, users, accessTokenLifespan } = parsed.data
  const documents: Import['documents'][number][] = []
  const notes: string[] = []
  const leftOut: string[] = []
  for (const client of clients ?? []) {
    const name = client.clientId
    if (OWN_CLIENTS.has(name)) continue
    const note = (text: string) => void notes.push(`${name}: ${text}`)
    const foreign = foreignClient(client, accessTokenLifespan ?? null, note)
    if (typeof foreign === 'string') leftOut.push(`${name}: ${foreign}`)
    else documents.push({ kind: 'Client', name, spec: await specOf(foreign, note) })
  }
  for (const { id, username, enabled, serviceAccountClientId } of users ?? []) {
    if (serviceAccountClientId) continue
    // The subject of the user's tokens at Keycloak.
    if (!id) leftOut.push(`user ${username ?? 'without a name'}: it has no id`)
    else
      documents.push({
        kind: 'User',
        name: id,
        spec: { externalId: id, ...(enabled === false ? { active: false } : {}) },
      })
  }
  return { documents, notes, leftOut }
}

/** The client, or why it cannot be imported. */
function foreignClient(
  client: KeycloakClient,
  realmTtl: number | null,
  note: (text: string) => void,
): ForeignClient | string {
  if ((client.protocol ?? 'openid-connect') !== 'openid-connect') return `its protocol is ${client.protocol}`
  const attribute = (name: string) => textOf(client.attributes?.[name])
  const authentication = client.clientAuthenticatorType ?? 'client-secret'
  const jwks = attribute('use.jwks.string') === 'true' ? attribute('jwks.string') : null
  const method = client.publicClient === true ? 'NONE' : methodOf(authentication)
  if (method === null) return `it authenticates by ${authentication}, which is configured differently in QScope`
  if (method === 'PRIVATE_KEY_JWT' && jwks === null) return 'its keys are not in the export: register it with its jwks'
  if (client.implicitFlowEnabled) note('the implicit flow is left out: QScope has none')
  if (client.directAccessGrantsEnabled) note('direct access grants are left out: QScope has no password grant')
  const ttl = Number(attribute('access.token.lifespan') ?? realmTtl ?? 0)
  return {
    clientId: client.clientId,
    displayName: client.name ?? '',
    method,
    enabled: client.enabled !== false,
    grants: client.bearerOnly ? [] : grantsOf(client, attribute),
    redirectUris: client.redirectUris ?? [],
    scopes: [...new Set([...(client.defaultClientScopes ?? []), ...(client.optionalClientScopes ?? [])])].filter(
      (scope) => !OWN_SCOPES.has(scope),
    ),
    audiences: [],
    jwks: method === 'PRIVATE_KEY_JWT' ? jwks : null,
    secret: client.secret && !MASKED.test(client.secret) ? { kind: 'plaintext', text: client.secret } : null,
    accessTokenTtlSeconds: Number.isFinite(ttl) && ttl >= 1 ? Math.floor(ttl) : null,
    refreshTokenTtlSeconds: null,
    // Keycloak's access tokens are always JWTs.
    isJwt: true,
    metadata: {},
  }
}

function methodOf(authentication: string): ForeignClient['method'] | null {
  if (authentication === 'client-secret') return 'CLIENT_SECRET'
  return authentication === 'client-jwt' ? 'PRIVATE_KEY_JWT' : null
}

function grantsOf(client: KeycloakClient, attribute: (name: string) => string | null): readonly GrantName[] {
  const refreshes = attribute('use.refresh.tokens') !== 'false'
  const hasDevice = attribute('oauth2.device.authorization.grant.enabled') === 'true'
  const hasUser = client.standardFlowEnabled === true || hasDevice
  return [
    ...(client.standardFlowEnabled ? (['AUTHORIZATION_CODE'] as const) : []),
    ...(hasDevice ? (['DEVICE_CODE'] as const) : []),
    ...(hasUser && refreshes ? (['REFRESH_TOKEN'] as const) : []),
    ...(client.serviceAccountsEnabled ? (['CLIENT_CREDENTIALS'] as const) : []),
    ...(attribute('standard.token.exchange.enabled') === 'true' ? (['TOKEN_EXCHANGE'] as const) : []),
  ]
}

/** An attribute may be a list with one value. */
function textOf(value: unknown): string | null {
  const [only = null] = Array.isArray(value) ? value : [value]
  return typeof only === 'string' ? only : null
}
