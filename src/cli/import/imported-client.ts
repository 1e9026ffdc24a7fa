import type { JsonObject } from '@bufbuild/protobuf'
import { hashForImport, whyNotImported } from '../../crypto/imported-hash.ts'
import { redirectUriProblem } from '../../domain/redirect-uri.ts'
import { isReservedScope, isScopeToken } from '../../domain/scopes.ts'

/** The documents made from an export of another server, and the parts that they do not contain. */
export interface Import {
  readonly documents: readonly { readonly kind: 'Client' | 'User'; readonly name: string; readonly spec: JsonObject }[]
  /** Settings that were changed or dropped: one line each. */
  readonly notes: readonly string[]
  /** Objects without a document: one line each. */
  readonly leftOut: readonly string[]
}

export type GrantName =
  | 'AUTHORIZATION_CODE'
  | 'CLIENT_CREDENTIALS'
  | 'REFRESH_TOKEN'
  | 'DEVICE_CODE'
  | 'TOKEN_EXCHANGE'
  | 'JWT_BEARER'

/** A secret itself, or a hash of it. The text alone does not tell: a secret may look like a hash. */
export interface ForeignSecret {
  readonly kind: 'plaintext' | 'hash'
  readonly text: string
}

/** A client of another server, in the terms of this server. */
export interface ForeignClient {
  readonly clientId: string
  readonly displayName: string
  readonly method: 'CLIENT_SECRET' | 'PRIVATE_KEY_JWT' | 'NONE'
  readonly enabled: boolean
  readonly grants: readonly GrantName[]
  readonly redirectUris: readonly string[]
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  /** Its public keys, as JSON. */
  readonly jwks: string | null
  /** As the other server stores it. `null`: not in the export. */
  readonly secret: ForeignSecret | null
  readonly accessTokenTtlSeconds: number | null
  readonly refreshTokenTtlSeconds: number | null
  readonly isJwt: boolean
  readonly metadata: Readonly<Record<string, string>>
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const LONGEST_ACCESS_TOKEN_TTL = 86_400
const LONGEST_REFRESH_TOKEN_TTL = 31_536_000
const MAX_METADATA = Object.freeze({ entries: 50, key: 64, value: 512 })
const MAX_NAME = 200

/**
 * The spec of a client's document. `note` receives what it drops. An id in UUID form is reserved for users here, so
 * such a client gets another id.
 */
export async function specOf(client: ForeignClient, note: (text: string) => void): Promise<JsonObject> {
  const isPublic = client.method === 'NONE'
  const clientId = UUID.test(client.clientId) ? `client-${client.clientId}` : client.clientId
  if (clientId !== client.clientId) {
    note(
      `its id looks like a UUID, which is reserved for users: its new id is ${clientId}, so change the configuration of the client`,
    )
  }
  const redirectUris = kept(client.redirectUris, redirectUriProblem, note, 'redirect URI')
  const grants = grantsOf(client, redirectUris, note)
  return {
    clientId,
    displayName: client.displayName.slice(0, MAX_NAME),
    type: isPublic ? 'CLIENT_TYPE_PUBLIC' : 'CLIENT_TYPE_CONFIDENTIAL',
    authenticationMethod: `AUTHENTICATION_METHOD_${client.method}`,
    ...(client.enabled ? {} : { enabled: false }),
    ...(client.jwks === null ? {} : { jwks: client.jwks }),
    grantTypes: grants.map((grant) => `GRANT_TYPE_${grant}`),
    redirectUris: [...redirectUris],
    scopes: [...kept(client.scopes, scopeProblem, note, 'scope')],
    audiences: [...client.audiences],
    config: configOf(client, note),
    ...(await secretOf(client, note)),
  }
}

function grantsOf(
  { grants, method }: ForeignClient,
  redirectUris: readonly string[],
  note: (text: string) => void,
): readonly GrantName[] {
  const problemOf = (grant: GrantName): string | null => {
    if (method === 'NONE' && (grant === 'CLIENT_CREDENTIALS' || grant === 'TOKEN_EXCHANGE')) {
      return 'is not for public clients'
    }
    return grant === 'AUTHORIZATION_CODE' && redirectUris.length === 0 ? 'needs a redirect URI' : null
  }
  const possible = kept([...new Set(grants)], problemOf, note, 'grant')
  const hasUser = possible.some((grant) => grant === 'AUTHORIZATION_CODE' || grant === 'DEVICE_CODE')
  return hasUser ? possible : possible.filter((grant) => grant !== 'REFRESH_TOKEN')
}

function scopeProblem(scope: string): string | null {
  if (!isScopeToken(scope)) return 'has characters that are not allowed in a scope'
  return isReservedScope(scope) ? 'is a permission of this server' : null
}

function kept<T extends string>(
  values: readonly T[],
  problemOf: (value: T) => string | null,
  note: (text: string) => void,
  what: string,
): readonly T[] {
  return values.filter((value) => {
    const problem = problemOf(value)
    if (problem !== null) note(`${what} ${value} is left out: ${problem}`)
    return problem === null
  })
}

function configOf(client: ForeignClient, note: (text: string) => void): JsonObject {
  const entries = Object.entries(client.metadata)
  const fitting = entries.filter(([key, value]) => key.length <= MAX_METADATA.key && value.length <= MAX_METADATA.value)
  const few = fitting.slice(0, MAX_METADATA.entries)
  if (few.length < entries.length)
    note(`${entries.length - few.length} entries of its metadata are left out: too long, or too many`)
  return {
    ...ttl('accessTokenTtl', client.accessTokenTtlSeconds, LONGEST_ACCESS_TOKEN_TTL, note),
    ...ttl('refreshTokenTtl', client.refreshTokenTtlSeconds, LONGEST_REFRESH_TOKEN_TTL, note),
    ...(client.isJwt ? { accessTokenFormat: 'ACCESS_TOKEN_FORMAT_JWT' } : {}),
    ...(few.length === 0 ? {} : { metadata: Object.fromEntries(few) }),
  }
}

function ttl(field: string, seconds: number | null, longest: number, note: (text: string) => void): JsonObject {
  if (seconds === null || seconds < 1) return {}
  if (seconds > longest) note(`${field} is reduced from ${seconds} s to the maximum of ${longest} s`)
  return { [field]: `${Math.min(seconds, longest)}s` }
}

/** A plaintext secret is hashed, so that no document contains one. */
async function secretOf({ method, secret }: ForeignClient, note: (text: string) => void): Promise<JsonObject> {
  if (method !== 'CLIENT_SECRET') return {}
  if (secret === null) {
    note('its secret is not in the export: apply creates another one')
    return {}
  }
  if (secret.kind === 'plaintext') return { importedSecretHashes: [await hashForImport(secret.text)] }
  const problem = whyNotImported(secret.text)
  if (problem !== null) {
    note(`the hash of its secret ${problem}: apply creates another secret`)
    return {}
  }
  return { importedSecretHashes: [secret.text] }
}
