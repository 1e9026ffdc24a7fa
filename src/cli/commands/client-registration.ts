import { create, fromJsonString } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import { type Command, InvalidArgumentError } from 'commander'
import { PERMISSIONS } from '../../domain/scopes.ts'
import {
  type AccessTokenFormat,
  AccessTokenFormatSchema,
  type AuthenticationMethod,
  AuthenticationMethodSchema,
  ClientType,
  ClientTypeSchema,
  type FederatedIdentity,
  FederatedIdentitySchema,
  GrantType,
  GrantTypeSchema,
} from '../../gen/qscope/v1/client_pb.ts'
import { messageOf } from '../../message-of.ts'
import {
  type ConnectionOptions,
  choice,
  choices,
  duration,
  keyValue,
  omitUndefined,
  repeated,
  UsageError,
  wholeNumber,
} from '../options/options.ts'

/** Whether a change is only validated. */
export interface DryRunOption {
  readonly dryRun?: true
}

/** Adds the option that validates a change without writing. */
export function withDryRun(command: Command): Command {
  return command.option('--dry-run', 'validate and print the result; write nothing')
}

/** Parses `issuer=…,subject=…`, where the subject is the rest of the text, or the JSON of an identity with required claims. */
function federatedIdentity(
  text: string,
  before: readonly FederatedIdentity[] | undefined,
): readonly FederatedIdentity[] {
  return [...(before ?? []), text.startsWith('{') ? identityOfJson(text) : identityOfPair(text)]
}

function identityOfPair(text: string): FederatedIdentity {
  const [, issuer, subject] = /^issuer=(.+?),subject=(.+)$/.exec(text) ?? []
  if (issuer === undefined || subject === undefined) {
    throw new InvalidArgumentError('It should be issuer=…,subject=…, or the JSON of an identity.')
  }
  return create(FederatedIdentitySchema, { issuer, subject })
}

function identityOfJson(text: string): FederatedIdentity {
  try {
    return fromJsonString(FederatedIdentitySchema, text)
  } catch (error) {
    throw new InvalidArgumentError(`It should be the JSON of an identity: ${messageOf(error)}`)
  }
}

/** The options of `client create`. */
export interface RegistrationOptions extends ClientFieldOptions {
  readonly admin?: true
  readonly id?: string
  readonly type?: ClientType
}

/** The options that describe a client, for creation and update. */
export interface ClientFieldOptions extends ConnectionOptions, DryRunOption {
  readonly name?: string
  readonly authenticationMethod?: AuthenticationMethod
  readonly jwks?: string
  readonly jwksUri?: string
  readonly tlsClientSubject?: string
  readonly federatedIdentity?: FederatedIdentity[]
  readonly grant?: GrantType[]
  readonly scope?: string[]
  readonly audience?: string[]
  readonly resourceAudience?: string[]
  readonly redirectUri?: string[]
  readonly accessTokenTtl?: Duration
  readonly refreshTokenTtl?: Duration
  readonly refreshTokenMaxLifetime?: Duration
  readonly authorizationCodeTtl?: Duration
  readonly deviceCodeTtl?: Duration
  readonly devicePollInterval?: Duration
  readonly refreshTokenReplayWindow?: Duration
  readonly pkce?: boolean
  readonly accessTokenFormat?: AccessTokenFormat
  readonly maxActiveRefreshTokens?: number
  readonly maxActiveRefreshTokensPerUser?: number
  readonly maxActiveAccessTokens?: number
  readonly allowImpersonation?: boolean
  readonly allowOwnRotation?: boolean
  readonly metadata?: Record<string, string>
}

/** The options allowed with `--admin`. Everything else is fixed. */
const WITH_ADMIN: ReadonlySet<string> = new Set([
  'admin',
  'id',
  'name',
  'json',
  'output',
  'server',
  'context',
  'local',
  'plaintext',
  'tls',
  'caFile',
  'certFile',
  'keyFile',
  'token',
  'clientId',
  'clientSecret',
  'clientSecretFile',
  'clientAssertionFile',
  'dryRun',
])

/** Adds the options that describe a new client. */
export function withRegistration(command: Command): Command {
  const described = command
    .option('--admin', 'create a client with every permission')
    .option('--id <id>', 'client id (default: generated)')
    .addOption(choice('--type <type>', 'client type (default confidential)', ClientTypeSchema))
  return withClientFields(described)
}

/** Adds the options that set the fields of a client. */
export function withClientFields(command: Command): Command {
  return command
    .option('--name <name>', 'display name (default: the id)')
    .addOption(choice('--authentication-method <method>', 'authentication method', AuthenticationMethodSchema))
    .option('--jwks <json>', 'its public keys, for private_key_jwt')
    .option('--jwks-uri <url>', 'URL of its public keys, for private_key_jwt without --jwks')
    .option(
      '--tls-client-subject <name>',
      'identifier in its certificate, for tls_client: dns:…, uri:…, ip:…, email:… or x5t#S256:…',
    )
    .option(
      '--federated-identity <identity>',
      'its identity in the token of its platform, for federated_jwt: issuer=…,subject=… or {"issuer": …, "subject": …, "requiredClaims": {…}} (may be repeated)',
      federatedIdentity,
    )
    .addOption(choices('--grant <grant>', 'allowed grant', GrantTypeSchema))
    .addOption(repeated('--scope <scope>', 'allowed scope'))
    .addOption(repeated('--audience <audience>', 'allowed audience'))
    .addOption(repeated('--resource-audience <audience>', 'audience that it serves as a resource server'))
    .addOption(repeated('--redirect-uri <uri>', 'redirect URI for authorization codes'))
    .option('--access-token-ttl <duration>', 'lifetime of access tokens, such as 10m', duration)
    .option('--refresh-token-ttl <duration>', 'idle lifetime of refresh tokens', duration)
    .option('--refresh-token-max-lifetime <duration>', 'maximum lifetime of a grant', duration)
    .option('--authorization-code-ttl <duration>', 'lifetime of codes', duration)
    .option('--device-code-ttl <duration>', 'lifetime of device codes', duration)
    .option('--device-poll-interval <duration>', 'interval of device polls', duration)
    .option('--refresh-token-replay-window <duration>', 'how long a client can repeat a refresh', duration)
    .option('--pkce', 'require PKCE (the default)')
    .option('--no-pkce', 'do not require PKCE')
    .addOption(choice('--access-token-format <format>', 'format of access tokens', AccessTokenFormatSchema))
    .option('--max-active-refresh-tokens <n>', 'limit for each client', wholeNumber)
    .option('--max-active-refresh-tokens-per-user <n>', 'limit for each client and user', wholeNumber)
    .option('--max-active-access-tokens <n>', 'limit for each refresh token', wholeNumber)
    .option('--allow-impersonation', 'allow token exchange without an actor')
    .option('--no-allow-impersonation', 'require an actor in token exchange (the default)')
    .option('--allow-own-rotation', 'allow the client to rotate its own secret (RotateOwnSecret)')
    .option('--no-allow-own-rotation', 'only administrators rotate its secret (the default)')
    .option('--metadata <key=value>', 'free text about the client (may be repeated)', keyValue)
}

/** The request that registers the client described by the options. */
export function registrationRequest(options: RegistrationOptions, command: Command) {
  if (!options.admin) return registration(options)
  const stray = Object.keys(options).find(
    (name) => !WITH_ADMIN.has(name) && command.getOptionValueSource(name) !== 'default',
  )
  if (stray !== undefined) throw new UsageError('--admin can be combined with --id and --name only')
  return adminRegistration(options)
}

/** All existing permissions, and nothing else. */
function adminRegistration(options: RegistrationOptions) {
  return {
    ...omitUndefined({ clientId: options.id, displayName: options.name ?? 'QScope administration' }),
    type: ClientType.CONFIDENTIAL,
    grantTypes: [GrantType.CLIENT_CREDENTIALS],
    scopes: [...PERMISSIONS],
  }
}

function registration(options: RegistrationOptions) {
  return {
    ...omitUndefined({ clientId: options.id, displayName: options.name, jwks: options.jwks }),
    ...omitUndefined({ jwksUri: options.jwksUri, federatedIdentities: options.federatedIdentity }),
    ...omitUndefined({
      tlsClientSubject: options.tlsClientSubject,
      authenticationMethod: options.authenticationMethod,
    }),
    type: options.type ?? ClientType.CONFIDENTIAL,
    grantTypes: options.grant ?? [],
    scopes: options.scope ?? [],
    audiences: options.audience ?? [],
    resourceAudiences: options.resourceAudience ?? [],
    redirectUris: options.redirectUri ?? [],
    config: configOf(options),
  }
}

/** The options that the contract keeps in `config`. */
export function configOf(options: ClientFieldOptions) {
  return omitUndefined({
    accessTokenTtl: options.accessTokenTtl,
    refreshTokenTtl: options.refreshTokenTtl,
    refreshTokenMaxLifetime: options.refreshTokenMaxLifetime,
    authorizationCodeTtl: options.authorizationCodeTtl,
    deviceCodeTtl: options.deviceCodeTtl,
    devicePollInterval: options.devicePollInterval,
    refreshTokenReplayWindow: options.refreshTokenReplayWindow,
    requirePkce: options.pkce,
    accessTokenFormat: options.accessTokenFormat,
    maxActiveRefreshTokens: options.maxActiveRefreshTokens,
    maxActiveRefreshTokensPerUser: options.maxActiveRefreshTokensPerUser,
    maxActiveAccessTokens: options.maxActiveAccessTokens,
    allowImpersonation: options.allowImpersonation,
    allowOwnRotation: options.allowOwnRotation,
    metadata: options.metadata,
  })
}
