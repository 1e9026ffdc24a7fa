/** RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** The prefix of scopes that permit QScope's own management calls. */
const PERMISSION_PREFIX = 'qscope:'

export const PERMISSIONS = Object.freeze([
  'qscope:clients.read',
  'qscope:clients.write',
  'qscope:users.read',
  'qscope:users.write',
  'qscope:tokens.read',
  'qscope:tokens.revoke',
  'qscope:consent',
  'qscope:audit.read',
  'qscope:keys.read',
  'qscope:keys.write',
  'qscope:trust.read',
  'qscope:trust.write',
  'qscope:server.read',
] as const)

export type Permission = (typeof PERMISSIONS)[number]

const KNOWN: ReadonlySet<string> = new Set(PERMISSIONS)

export function isScopeToken(value: string): boolean {
  return SCOPE_TOKEN.test(value)
}

export function isPermission(scope: string): scope is Permission {
  return KNOWN.has(scope)
}

/** Whether a scope has the reserved prefix, whether or not it is defined. */
export function isReservedScope(scope: string): boolean {
  return scope.startsWith(PERMISSION_PREFIX)
}

/** The distinct values in the order of their first occurrence. A scope is a set, not a list. */
export function distinct(values: readonly string[]): readonly string[] {
  return values.length < 2 ? values : [...new Set(values)]
}

/** The wanted values that are not allowed. */
export function beyond(wanted: readonly string[], allowed: readonly string[]): readonly string[] {
  return wanted.filter((value) => !allowed.includes(value))
}

/** RFC 6749 §3.3: the order of scopes and repetitions do not matter. */
export function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  const set = new Set(a)
  return set.size === new Set(b).size && b.every((scope) => set.has(scope))
}
