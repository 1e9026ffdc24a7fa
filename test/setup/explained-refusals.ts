import type { TokenRefusal } from '../../src/auth/token-refusal.ts'
import type { DetailsOf, ErrorCode } from '../../src/errors/registry.ts'

/**
 * Why no check explains an error. `never`: the call does not return it. `caller`: it concerns the caller or the form of the
 * request, states its remedy, and is also the explanation's own error. `server`: the server is overloaded or failed, which no
 * request can determine. `proof`: it depends on the moment and on the assertion that the caller presents, which the explanation
 * does not receive.
 */
export type Untold = 'never' | 'caller' | 'server' | 'proof'

/** The checks that fail if a call returns the error. */
type Told = readonly [string, ...string[]]

/** The causes of an error, by its `because`; `none`: it names no cause. */
type ByCause = Readonly<Record<string, Told | Untold>>

/** Why `MintToken` returns `oauth.temporarily_unavailable`. A new cause does not compile until it is listed below. */
type Unavailable = NonNullable<DetailsOf<'oauth.temporarily_unavailable'>['because']> | 'none'

interface Refusals {
  /** For `VerifyToken`, by `ExplainToken`. */
  readonly verify: Told | Untold
  /**
   * For `IntrospectToken`. `inactive`: it does not return the error for a token; if a check that it makes fails, it answers
   * `active: false` (RFC 7662 §2.2).
   */
  readonly introspect: Untold | 'inactive'
  /** For `MintToken`, by `ExplainMint`. */
  readonly mint: Told | Untold | ByCause
}

/** The calls whose errors are explained. */
type Explained = 'verify' | 'mint'

const NEVER: Refusals = Object.freeze({ verify: 'never', introspect: 'never', mint: 'never' })
const SERVER: Refusals = Object.freeze({ verify: 'server', introspect: 'server', mint: 'server' })

/** The checks that explain each error of the registry. A new row does not compile until it is listed here. */
export const REFUSALS = {
  'oauth.invalid_request': {
    verify: 'caller',
    introspect: 'caller',
    mint: ['identity_has_audience', 'lifetime_is_allowed', 'token_is_not_too_long'],
  },
  'oauth.invalid_client': {
    verify: 'caller',
    introspect: 'caller',
    mint: ['client_is_registered', 'client_is_enabled', 'client_can_authenticate'],
  },
  'oauth.invalid_grant': NEVER,
  'oauth.unauthorized_client': { verify: 'caller', introspect: 'caller', mint: ['grant_is_allowed'] },
  'oauth.unsupported_grant_type': NEVER,
  'oauth.invalid_scope': { verify: 'never', introspect: 'never', mint: ['scopes_are_allowed'] },
  'oauth.invalid_target': { verify: 'never', introspect: 'never', mint: ['audiences_are_allowed'] },
  'oauth.access_denied': NEVER,
  'oauth.unsupported_response_type': NEVER,
  'oauth.unsupported_token_type': NEVER,
  'oauth.invalid_token': {
    verify: [
      'token_is_known',
      'token_is_unexpired',
      'token_is_unrevoked',
      'refresh_token_is_unspent',
      'grant_is_unrevoked',
      'grant_is_unexpired',
      'signing_key_is_unrevoked',
      'client_is_enabled',
      'client_tokens_are_unrevoked',
      'user_is_active',
      'user_tokens_are_unrevoked',
      'exchanged_tokens_are_active',
      'token_is_access_token',
      'token_is_for_audience',
      'bearer_holds_certificate',
    ],
    introspect: 'inactive',
    mint: 'never',
  },
  'oauth.insufficient_scope': { verify: ['token_has_scopes'], introspect: 'caller', mint: 'never' },
  'oauth.server_error': SERVER,
  'oauth.temporarily_unavailable': {
    verify: 'server',
    introspect: 'server',
    mint: {
      clock: ['clock_is_right'],
      // The keys of the issuer, or of the client's `jwks_uri`, cannot be fetched.
      issuer_keys: 'proof',
      // Too many single-use assertions wait to be recorded, or too many imported secrets to be compared.
      none: 'server',
    } satisfies Record<Unavailable, Told | Untold>,
  },
  'oauth.device.authorization_pending': NEVER,
  'oauth.device.slow_down': NEVER,
  'oauth.device.expired_token': NEVER,
  'oauth.device.access_denied': NEVER,
  'registration.invalid_redirect_uri': NEVER,
  'registration.invalid_client_metadata': NEVER,
  'registration.client_identifier_conflict': NEVER,
  'resource.not_found': NEVER,
  'resource.conflict': { verify: 'never', introspect: 'never', mint: 'server' },
  'resource.outcome_unknown': { verify: 'never', introspect: 'never', mint: 'server' },
  'limit.exceeded': {
    verify: 'caller',
    introspect: 'caller',
    mint: ['minting_is_within_rate', 'live_tokens_are_within_quota'],
  },
} as const satisfies Record<ErrorCode, Refusals>

/** For a reason in the log for which a token was refused. */
interface Reason {
  /** The check that explains it. */
  readonly check: string
  /** What `IntrospectToken` answers for the token. */
  readonly introspect: 'active' | 'inactive'
}

const inactive = (check: string): Reason => ({ check, introspect: 'inactive' })
/** Of the checks that `VerifyToken` alone makes. */
const active = (check: string): Reason => ({ check, introspect: 'active' })

/** For each reason in the log for which a token was refused: the check that explains it, and the answer of introspection. */
export const REASONS = {
  unknown: inactive('token_is_known'),
  not_visible: inactive('token_is_known'),
  expired: inactive('token_is_unexpired'),
  revoked: inactive('token_is_unrevoked'),
  spent: inactive('refresh_token_is_unspent'),
  grant_revoked: inactive('grant_is_unrevoked'),
  grant_expired: inactive('grant_is_unexpired'),
  signing_key_revoked: inactive('signing_key_is_unrevoked'),
  client_disabled: inactive('client_is_enabled'),
  client_tokens_revoked: inactive('client_tokens_are_unrevoked'),
  user_deactivated: inactive('user_is_active'),
  user_tokens_revoked: inactive('user_tokens_are_unrevoked'),
  ancestor_inactive: inactive('exchanged_tokens_are_active'),
  not_an_access_token: active('token_is_access_token'),
  wrong_audience: active('token_is_for_audience'),
  certificate_mismatch: active('bearer_holds_certificate'),
  missing_scope: active('token_has_scopes'),
} satisfies Record<TokenRefusal, Reason>

/** The checks that explain an error of a call. */
export function toldOf(call: Explained): readonly string[] {
  const rows: readonly Refusals[] = Object.values(REFUSALS)
  return rows.flatMap((row) => checksIn(row[call]))
}

function checksIn(told: Told | Untold | ByCause): readonly string[] {
  if (typeof told === 'string') return []
  return isChecks(told) ? told : Object.values(told).flatMap(checksIn)
}

function isChecks(told: Told | ByCause): told is Told {
  return Array.isArray(told)
}

/** The error that a failed check represents. */
export function errorToldBy(call: Explained, check: string): string {
  const rows: readonly (readonly [string, Refusals])[] = Object.entries(REFUSALS)
  const found = rows.filter(([, row]) => checksIn(row[call]).includes(check))
  const [code] = found.map(([name]) => name)
  if (code === undefined || found.length > 1) throw new Error(`${check} tells ${found.length} errors of ${call}`)
  return code.toUpperCase().replaceAll('.', '_')
}
