import { isFieldSet } from '@bufbuild/protobuf'
import { clientId } from '../../domain/ids.ts'
import { distinct } from '../../domain/scopes.ts'
import { holdsSecret } from '../../domain/secret-text.ts'
import type { ClientChanges } from '../../flows/clients/update-client.ts'
import {
  ClientConfigSchema,
  type Client as ClientMessage,
  ClientSchema,
  type ClientConfig as ConfigMessage,
} from '../../gen/qscope/v1/client_pb.ts'
import type { UpdateClientRequest } from '../../gen/qscope/v1/client_service_pb.ts'
import { fail, invalidRequest, type Result, success } from '../../results.ts'
import {
  fromAuthenticationMethod,
  fromClientConfig,
  fromClientType,
  fromFederatedIdentities,
  fromGrantTypes,
  fromTlsClientSubject,
  isConfigField,
  readConfigFields,
} from './client.ts'

/** Not among what `*` changes: who does not know of these leaves them as they are. */
const ONLY_BY_NAME: ReadonlySet<string> = new Set(['owner', 'federated_identities', 'jwks_uri'])

type Reader = (message: ClientMessage) => ClientChanges

/** The fields that can change, by their names in the contract. */
const READERS: ReadonlyMap<string, Reader> = new Map(
  Object.entries({
    display_name: (client) => ({ displayName: client.displayName || client.clientId }),
    authentication_method: (client) => ({
      authenticationMethod: fromAuthenticationMethod(
        client.authenticationMethod,
        fromClientType(client.type) ?? 'confidential',
      ),
    }),
    jwks: (client) => ({ jwks: client.jwks || null }),
    tls_client_subject: (client) => ({ tlsClientSubject: fromTlsClientSubject(client.tlsClientSubject) }),
    grant_types: (client) => ({ grantTypes: fromGrantTypes(client.grantTypes) }),
    redirect_uris: (client) => ({ redirectUris: distinct(client.redirectUris) }),
    scopes: (client) => ({ scopes: distinct(client.scopes) }),
    audiences: (client) => ({ audiences: distinct(client.audiences) }),
    resource_audiences: (client) => ({
      resourceAudiences: distinct(client.resourceAudiences).filter((audience) => audience !== client.clientId),
    }),
    config: (client) => ({ config: fromClientConfig(client.config) }),
    jwks_uri: (client) => ({ jwksUri: client.jwksUri || null }),
    federated_identities: (client) => ({
      federatedIdentities: fromFederatedIdentities(client.federatedIdentities),
    }),
    owner: (client) => ({ owner: client.owner || null }),
  } satisfies Record<string, Reader>),
)

const SHOWN_PATH = /^[A-Za-z0-9_.*]{1,128}$/
const CONFIG_PREFIX = 'config.'
const METADATA_PREFIX = 'config.metadata.'

export interface ClientUpdate {
  readonly clientId: ReturnType<typeof clientId>
  readonly changes: ClientChanges
  readonly etag: string | null
  readonly adopt: boolean
}

/**
 * AIP-134: the mask says which fields; without one, those that are set, inside
 * `config` too; `*` alone is all that can change. A path that names `config`
 * replaces it, one into it changes that field alone.
 */
export function fromUpdateClient(request: UpdateClientRequest): Result<ClientUpdate> {
  const message = request.client
  if (message === undefined) return violation('client', 'is required')
  if (request.etag !== '' && message.etag !== '' && request.etag !== message.etag) {
    return violation('etag', 'differs from client.etag')
  }
  const etag = request.etag || message.etag || null
  const paths = effectivePaths(message, request.updateMask?.paths ?? [])
  const violations = paths.flatMap((path) => {
    const description = pathProblem(path)
    return description === null ? [] : [{ field: 'update_mask', description: `${shown(path)}: ${description}` }]
  })
  if (violations.length > 0) return fail('oauth.invalid_request', { violations })
  return success({
    clientId: clientId(message.clientId),
    changes: readChanges(message, paths),
    etag,
    adopt: request.adopt,
  })
}

function effectivePaths(message: ClientMessage, mask: readonly string[]): readonly string[] {
  if (mask.length === 1 && mask[0] === '*') return [...READERS.keys()].filter((path) => !ONLY_BY_NAME.has(path))
  if (mask.length > 0) return distinct(mask)
  return ClientSchema.fields
    .filter((field) => READERS.has(field.name) && isFieldSet(message, field))
    .flatMap(({ name }) => (name === 'config' ? pathsIntoConfig(message.config) : [name]))
}

function pathsIntoConfig(config: ConfigMessage | undefined): readonly string[] {
  if (config === undefined) return []
  return ClientConfigSchema.fields
    .filter((field) => isConfigField(field.name) && isFieldSet(config, field))
    .map(({ name }) => CONFIG_PREFIX + name)
}

function pathProblem(path: string): string | null {
  if (READERS.has(path) || (path.startsWith(CONFIG_PREFIX) && isConfigField(path.slice(CONFIG_PREFIX.length))))
    return null
  if (path === 'enabled') return 'cannot be changed here; call EnableClient or DisableClient'
  if (path === '*') return 'must be the only path'
  if (path.startsWith(METADATA_PREFIX))
    return 'cannot be changed alone; name config.metadata, which replaces the whole map'
  return ClientSchema.fields.some((field) => field.name === path) ? 'cannot be changed' : 'is not a field'
}

/** The path is caller input: a text that cannot be a path is not repeated. */
function shown(path: string): string {
  return SHOWN_PATH.test(path) && !holdsSecret(path) ? path : '…'
}

function readChanges(message: ClientMessage, paths: readonly string[]): ClientChanges {
  const whole = paths.flatMap((path) => READERS.get(path)?.(message) ?? [])
  const changes: ClientChanges = Object.assign({}, ...whole)
  const configFields = paths
    .filter((path) => path.startsWith(CONFIG_PREFIX))
    .map((path) => path.slice(CONFIG_PREFIX.length))
  if (configFields.length === 0 || changes.config !== undefined) return changes
  return { ...changes, config: readConfigFields(message.config, configFields) }
}

function violation(field: string, description: string): Result<never> {
  return invalidRequest(field, description)
}
