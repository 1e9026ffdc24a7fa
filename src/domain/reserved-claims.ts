/**
 * Claim names that a rule must not set. This server's JWTs and introspections use them, or specifications define them for
 * verifiers. A verifier treats every other claim of an access token as an additional one.
 */
export const RESERVED_CLAIMS: ReadonlySet<string> = new Set([
  // RFC 7519 §4.1.
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  // RFC 7662 §2.2.
  'active',
  'scope',
  'client_id',
  'username',
  'token_type',
  // RFC 9068 §2.2.1, OpenID Connect Core 1.0 §2.
  'auth_time',
  'acr',
  'amr',
  'azp',
  'nonce',
  'at_hash',
  'c_hash',
  's_hash',
  'sid',
  'sub_id',
  // RFC 8693 §4, RFC 7800, RFC 9396, RFC 9701 §5, RFC 8417.
  'act',
  'may_act',
  'cnf',
  'authorization_details',
  'token_introspection',
  'events',
  // draft-ietf-oauth-transaction-tokens.
  'txn',
  'tctx',
  'rctx',
  'req_wl',
  'purp',
  'azd',
  // This server's claims.
  'rvk',
  'extra',
  // Names with a special meaning for objects in some languages.
  '__proto__',
  'constructor',
  'prototype',
])

/** This server may add claims with this prefix. */
const OWN_PREFIX = /^qscope/i
const NAME = /^[A-Za-z0-9_.:/@-]{1,64}$/

/** Why a token must not have an additional claim of this name. `null`: it may. */
export function claimNameProblem(name: string): string | null {
  if (!NAME.test(name)) return 'must be 1 to 64 of A-Z a-z 0-9 _ . : / @ -'
  return RESERVED_CLAIMS.has(name) || OWN_PREFIX.test(name) ? 'is reserved' : null
}

/** The limit of one claim, and of all additional claims of a token together, in bytes of JSON. */
export const LONGEST_EXTRA_CLAIMS = 2_048
