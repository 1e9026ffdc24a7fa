import { parseTlsClientSubject } from './certificate.ts'
import { type ClientRegistration, isUserGrant } from './client.ts'
import { type FederatedIdentity, identityProblems } from './federated-identity.ts'
import { isRegistrableClientId } from './ids.ts'
import { redirectUriProblem } from './redirect-uri.ts'
import { remoteUrlProblem } from './remote-url.ts'
import { isPermission, isReservedScope, isScopeToken } from './scopes.ts'
import { HOLDS_SECRET, holdsSecret, withoutSecrets } from './secret-text.ts'

/** One problem of a registration. `field` is the path in the contract. */
export interface RegistrationProblem {
  readonly field: string
  readonly description: string
}

/** RFC 8707 §2 requires URIs, but many servers use names. Neither contains spaces or control characters. */
const AUDIENCE = /^[\x21-\x7e]+$/

/** RFC 7591 §3.2.2, invalid_redirect_uri. */
export function redirectUriProblems(registration: ClientRegistration): readonly RegistrationProblem[] {
  return registration.redirectUris.flatMap((uri, index) => {
    const description = redirectUriProblem(uri)
    return description === null ? [] : [{ field: `redirect_uris[${index}]`, description }]
  })
}

/** RFC 7591 §3.2.2, invalid_client_metadata: all inconsistencies at once. */
export function metadataProblems(registration: ClientRegistration, issuer: string): readonly RegistrationProblem[] {
  return [
    ...idProblems(registration),
    ...authenticationProblems(registration),
    ...grantProblems(registration),
    ...scopeProblems(registration),
    ...audienceProblems(registration, issuer),
    ...configProblems(registration),
    ...identityTokenProblems(registration, issuer),
    ...identityProblems(registration.federatedIdentities, issuer),
    ...secretProblems(registration),
  ]
}

function idProblems({ clientId }: ClientRegistration): RegistrationProblem[] {
  return isRegistrableClientId(clientId)
    ? []
    : [
        {
          field: 'client_id',
          description: 'must be 3 to 128 characters of A-Z a-z 0-9 . _ - and must not look like a UUID',
        },
      ]
}

function authenticationProblems(registration: ClientRegistration): RegistrationProblem[] {
  const { type, authenticationMethod: method, tlsClientSubject } = registration
  const problems: RegistrationProblem[] = []
  if (type === 'public' && method !== 'none') {
    problems.push({ field: 'authentication_method', description: 'must be NONE for a public client' })
  }
  if (type === 'confidential' && method === 'none') {
    problems.push({ field: 'authentication_method', description: 'must not be NONE for a confidential client' })
  }
  problems.push(...keyProblems(registration))
  if (registration.federatedIdentities.length > 0 !== (method === 'federated_jwt')) {
    const description = 'is required with the method FEDERATED_JWT, and must be absent with others'
    problems.push({ field: 'federated_identities', description })
  }
  if ((tlsClientSubject !== null) !== (method === 'tls_client')) {
    problems.push({
      field: 'tls_client_subject',
      description: 'is required with the method TLS_CLIENT, and must be absent with others',
    })
  } else if (tlsClientSubject !== null && parseTlsClientSubject(tlsClientSubject) === null) {
    const description =
      'must be dns:, uri:, ip: or email: followed by a name without wildcards (a spiffe: URI must be the SPIFFE ID of a workload), or x5t#S256: followed by a thumbprint'
    problems.push({ field: 'tls_client_subject', description })
  }
  return problems
}

/** RFC 7591 §2: the keys are in `jwks` or at `jwks_uri`, not in both. */
function keyProblems({ authenticationMethod, jwks, jwksUri }: ClientRegistration): RegistrationProblem[] {
  if (authenticationMethod !== 'private_key_jwt') {
    const description = 'must be absent with methods other than PRIVATE_KEY_JWT'
    return [
      ...(jwks === null ? [] : [{ field: 'jwks', description }]),
      ...(jwksUri === null ? [] : [{ field: 'jwks_uri', description }]),
    ]
  }
  if (jwks !== null && jwksUri !== null) return [{ field: 'jwks_uri', description: 'must be absent if jwks is set' }]
  if (jwks === null && jwksUri === null) {
    return [{ field: 'jwks', description: 'is required with the method PRIVATE_KEY_JWT, or jwks_uri instead' }]
  }
  const problem = jwksUri === null ? null : remoteUrlProblem(jwksUri)
  return problem === null ? [] : [{ field: 'jwks_uri', description: problem }]
}

function grantProblems({ type, grantTypes, redirectUris }: ClientRegistration): RegistrationProblem[] {
  const problems: RegistrationProblem[] = []
  if (type === 'public' && grantTypes.includes('client_credentials')) {
    problems.push({
      field: 'grant_types',
      description: 'must not contain client_credentials for a public client (RFC 6749 §4.4)',
    })
  }
  if (type === 'public' && grantTypes.includes('token_exchange')) {
    const description = 'must not contain token_exchange for a public client, because anyone can use its client id'
    problems.push({ field: 'grant_types', description })
  }
  if (grantTypes.includes('refresh_token') && !grantTypes.some(isUserGrant)) {
    problems.push({
      field: 'grant_types',
      description: 'must contain authorization_code or device_code if it contains refresh_token',
    })
  }
  if (grantTypes.includes('authorization_code') && redirectUris.length === 0) {
    problems.push({ field: 'redirect_uris', description: 'must have at least one item for authorization_code' })
  }
  return problems
}

function scopeProblems({ type, scopes }: ClientRegistration): RegistrationProblem[] {
  return scopes.flatMap((scope, index) => {
    const field = `scopes[${index}]`
    if (!isScopeToken(scope)) return [{ field, description: 'must be printable ASCII without space, " and \\' }]
    if (!isReservedScope(scope)) return []
    if (!isPermission(scope))
      return [{ field, description: 'begins with qscope: but is not a permission of this server' }]
    return type === 'public' ? [{ field, description: 'is a permission, which a public client must not have' }] : []
  })
}

function audienceProblems(registration: ClientRegistration, issuer: string): RegistrationProblem[] {
  const description = 'must be printable ASCII without spaces'
  const malformed = (name: 'audiences' | 'resource_audiences', values: readonly string[]) =>
    values.flatMap((value, index) => (AUDIENCE.test(value) ? [] : [{ field: `${name}[${index}]`, description }]))
  const issuerIndex = registration.resourceAudiences.indexOf(issuer)
  return [
    ...malformed('audiences', registration.audiences),
    ...malformed('resource_audiences', registration.resourceAudiences),
    ...(issuerIndex === -1
      ? []
      : [
          {
            field: `resource_audiences[${issuerIndex}]`,
            description: 'must not be the audience of this server itself',
          },
        ]),
  ]
}

function configProblems({ type, authenticationMethod, config }: ClientRegistration): RegistrationProblem[] {
  const problems: RegistrationProblem[] = []
  if (type === 'public' && !config.requirePkce) {
    problems.push({ field: 'config.require_pkce', description: 'must be true for a public client (RFC 9700 §2.1.1)' })
  }
  if (type === 'public' && config.allowImpersonation) {
    problems.push({ field: 'config.allow_impersonation', description: 'must be false for a public client' })
  }
  if (config.allowOwnRotation && authenticationMethod !== 'client_secret') {
    problems.push({ field: 'config.allow_own_rotation', description: 'requires the method CLIENT_SECRET' })
  }
  return problems
}

/** Public keys are random, so about one in ten thousand looks like a secret. */
const KEY_MATERIAL = /"[nxy]"\s*:\s*"[\w-]*"/g

const LONGEST_IDENTITY_MS = 3_600_000

/**
 * Others verify identity tokens without knowledge of revocation or `act`. Therefore they must be short-lived, have a specific
 * audience, and name the subject without an actor. This server does not accept them, so they must not carry its permissions.
 */
function identityTokenProblems(registration: ClientRegistration, issuer: string): RegistrationProblem[] {
  const { config, audiences, scopes, grantTypes } = registration
  if (config.accessTokenFormat !== 'identity_jwt') return []
  const problems: RegistrationProblem[] = []
  if (config.accessTokenTtl > LONGEST_IDENTITY_MS) {
    problems.push({ field: 'config.access_token_ttl', description: 'must be at most 1 h for identity tokens' })
  }
  if (audiences.length === 0) {
    problems.push({ field: 'audiences', description: 'must have at least one item for identity tokens' })
  }
  for (const [index, audience] of audiences.entries()) {
    const description = 'is this server itself, which accepts no identity tokens'
    if (audience === issuer) problems.push({ field: `audiences[${index}]`, description })
  }
  for (const [index, scope] of scopes.entries()) {
    const description = 'is a permission of this server, which accepts no identity tokens'
    if (isPermission(scope)) problems.push({ field: `scopes[${index}]`, description })
  }
  if (grantTypes.includes('token_exchange') && !config.allowImpersonation) {
    const description = 'must be true for token_exchange with identity tokens, because their verifiers look only at sub'
    problems.push({ field: 'config.allow_impersonation', description })
  }
  return problems
}

/** Identifiers are stored and shown unchanged, so they must not contain a token or secret. Free text is masked instead. */
function secretProblems(registration: ClientRegistration): RegistrationProblem[] {
  const { clientId, jwks, jwksUri, tlsClientSubject, redirectUris, scopes, audiences, resourceAudiences, config } =
    registration
  const each = (name: string, values: readonly string[]) => values.map((value, index) => [`${name}[${index}]`, value])
  const identifiers = [
    ['client_id', clientId],
    ['jwks', jwks?.replaceAll(KEY_MATERIAL, '')],
    ['jwks_uri', jwksUri],
    ['tls_client_subject', tlsClientSubject],
    ...registration.federatedIdentities.flatMap(identityTexts),
    ...each('redirect_uris', redirectUris),
    ...each('scopes', scopes),
    ...each('audiences', audiences),
    ...each('resource_audiences', resourceAudiences),
    ...Object.keys(config.metadata).map((key) => ['config.metadata', key]),
  ] as const
  return identifiers.flatMap(([field, value]) =>
    field !== undefined && typeof value === 'string' && holdsSecret(value)
      ? [{ field, description: HOLDS_SECRET }]
      : [],
  )
}

function identityTexts(
  { issuer, subject, requiredClaims }: FederatedIdentity,
  index: number,
): readonly (readonly [field: string, text: string])[] {
  const field = `federated_identities[${index}]`
  return [
    [`${field}.issuer`, issuer],
    [`${field}.subject`, subject],
    ...requiredClaims.flatMap(({ name, value }) =>
      [name, value].map((text) => [`${field}.required_claims`, text] as const),
    ),
  ]
}

/** The registration to store: its free text is masked. */
export function withMaskedTexts<T extends Pick<ClientRegistration, 'displayName' | 'config'>>(registration: T): T {
  const { displayName, config } = registration
  const metadata = Object.fromEntries(Object.entries(config.metadata).map(([key, text]) => [key, withoutSecrets(text)]))
  return { ...registration, displayName: withoutSecrets(displayName), config: { ...config, metadata } }
}
