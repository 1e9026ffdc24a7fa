/** Names that QScope and the RFCs give a meaning: no claim of an issuer's rule has one of them. */
const RESERVED: ReadonlySet<string> = new Set([
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'active',
  'scope',
  'client_id',
  'username',
  'token_type',
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
  'act',
  'may_act',
  'cnf',
  'authorization_details',
  'token_introspection',
  'events',
  'txn',
  'tctx',
  'rctx',
  'req_wl',
  'purp',
  'azd',
  'rvk',
  'extra',
  '__proto__',
  'constructor',
  'prototype',
])
const OWN_PREFIX = /^qscope/i

/** What a JWT says beyond the claims that QScope itself writes: what the rule of a trusted issuer made of an assertion. */
export function extraClaimsIn(claims: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const further = Object.entries(claims).filter(([name]) => !RESERVED.has(name) && !OWN_PREFIX.test(name))
  return Object.freeze(Object.fromEntries(further))
}
