import { z } from 'zod'
import { isObject } from '../../json-object.ts'
import { type ForeignClient, type ForeignSecret, type GrantName, type Import, specOf } from './imported-client.ts'

/** The used members of an OAuth 2.0 client of Ory Hydra, as its admin API and `hydra list oauth2-clients` write it. */
const HYDRA_CLIENT = z.looseObject({
  client_id: z.string(),
  client_name: z.string().nullish(),
  client_secret: z.string().nullish(),
  redirect_uris: z.array(z.string()).nullish(),
  grant_types: z.array(z.string()).nullish(),
  scope: z.string().nullish(),
  audience: z.array(z.string()).nullish(),
  token_endpoint_auth_method: z.string().nullish(),
  jwks: z.looseObject({ keys: z.array(z.unknown()).nullish() }).nullish(),
  jwks_uri: z.string().nullish(),
  // A record would drop the key `__proto__`.
  metadata: z.custom<Readonly<Record<string, unknown>>>(isObject).nullish(),
  access_token_strategy: z.string().nullish(),
  owner: z.string().nullish(),
  client_credentials_grant_access_token_lifespan: z.string().nullish(),
  authorization_code_grant_access_token_lifespan: z.string().nullish(),
  authorization_code_grant_refresh_token_lifespan: z.string().nullish(),
})

type HydraClient = z.infer<typeof HYDRA_CLIENT>

/** A list of the API, the output of the command line, or one client. */
const HYDRA_EXPORT = z.union([
  z.array(HYDRA_CLIENT),
  z.looseObject({ items: z.array(HYDRA_CLIENT) }).transform(({ items }) => items),
  HYDRA_CLIENT.transform((client) => [client]),
])

const GRANTS: ReadonlyMap<string, GrantName> = new Map<string, GrantName>([
  ['authorization_code', 'AUTHORIZATION_CODE'],
  ['client_credentials', 'CLIENT_CREDENTIALS'],
  ['refresh_token', 'REFRESH_TOKEN'],
  ['urn:ietf:params:oauth:grant-type:device_code', 'DEVICE_CODE'],
  ['urn:ietf:params:oauth:grant-type:jwt-bearer', 'JWT_BEARER'],
  ['urn:ietf:params:oauth:grant-type:token-exchange', 'TOKEN_EXCHANGE'],
])

const METHODS: ReadonlyMap<string, ForeignClient['method']> = new Map<string, ForeignClient['method']>([
  ['client_secret_basic', 'CLIENT_SECRET'],
  ['client_secret_post', 'CLIENT_SECRET'],
  ['private_key_jwt', 'PRIVATE_KEY_JWT'],
  ['none', 'NONE'],
])

/** RFC 6749 §3.2.1 leaves the default to the server. This is Hydra's. */
const DEFAULT_METHOD = 'client_secret_basic'

/**
 * Reads an export of Hydra. Its API does not return secrets. `client_secret` may be added from its database, where it is a
 * hash. Throws an error of one line if the input is not such an export.
 */
export async function importHydra(exported: unknown): Promise<Import> {
  const parsed = HYDRA_EXPORT.safeParse(exported)
  if (!parsed.success) throw new Error('the file is not a list of OAuth 2.0 clients of Hydra, each with a client_id')
  const documents: Import['documents'][number][] = []
  const notes: string[] = []
  const leftOut: string[] = []
  for (const client of parsed.data) {
    const name = client.client_id
    const note = (text: string) => void notes.push(`${name}: ${text}`)
    const foreign = foreignClient(client, note)
    if (typeof foreign === 'string') leftOut.push(`${name}: ${foreign}`)
    else documents.push({ kind: 'Client', name, spec: await specOf(foreign, note) })
  }
  return { documents, notes, leftOut }
}

/** The client, or why it cannot be imported. */
function foreignClient(client: HydraClient, note: (text: string) => void): ForeignClient | string {
  const authentication = client.token_endpoint_auth_method || DEFAULT_METHOD
  const method = METHODS.get(authentication)
  if (method === undefined) return `it authenticates by ${authentication}, which QScope does not support`
  const keys = client.jwks?.keys ?? []
  if (method === 'PRIVATE_KEY_JWT' && keys.length === 0) {
    return client.jwks_uri ? 'its keys are at jwks_uri: put them into jwks first' : 'it has no keys'
  }
  const unknown = (client.grant_types ?? []).filter((grant) => !GRANTS.has(grant))
  for (const grant of unknown) note(`grant ${grant} is left out: QScope has none`)
  const { metadata, owner } = client
  return {
    clientId: client.client_id,
    displayName: client.client_name ?? '',
    method,
    enabled: true,
    grants: (client.grant_types ?? []).flatMap((grant) => GRANTS.get(grant) ?? []),
    redirectUris: client.redirect_uris ?? [],
    scopes: (client.scope ?? '').split(' ').filter((scope) => scope !== ''),
    audiences: client.audience ?? [],
    jwks: method === 'PRIVATE_KEY_JWT' ? JSON.stringify({ keys }) : null,
    secret: client.client_secret ? foreignSecret(client.client_secret) : null,
    accessTokenTtlSeconds: shortest([
      client.client_credentials_grant_access_token_lifespan,
      client.authorization_code_grant_access_token_lifespan,
    ]),
    refreshTokenTtlSeconds: shortest([client.authorization_code_grant_refresh_token_lifespan]),
    isJwt: client.access_token_strategy === 'jwt',
    metadata: { ...(owner ? { owner } : {}), ...texts(metadata ?? {}) },
  }
}

/** The database of Hydra has a hash, which begins with `$`. The answer to a registration has the secret that Hydra drew. */
function foreignSecret(text: string): ForeignSecret {
  return { kind: text.startsWith('$') ? 'hash' : 'plaintext', text }
}

function texts(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
  )
}

/** Hours, minutes and seconds, each optional. */
const DURATION = /^(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?$/

/** The shortest of several Go durations, such as `1h30m0s`, in whole seconds. */
function shortest(durations: readonly (string | null | undefined)[]): number | null {
  const seconds = durations.flatMap((text) => (text ? [secondsOf(text)] : [])).filter((value) => value >= 1)
  return seconds.length === 0 ? null : Math.min(...seconds)
}

/** Parses a duration as Go prints it, such as `720h0m0s`. Durations below a second have another format. */
function secondsOf(text: string): number {
  const [, hours = 0, minutes = 0, seconds = 0] = DURATION.exec(text) ?? []
  return Math.floor(Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds))
}
