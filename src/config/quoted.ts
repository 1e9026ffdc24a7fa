import { holdsSecret } from '../domain/secret-text.ts'
import { KNOWN_VARIABLES } from './variables.ts'

/** Longer values are truncated in messages. */
const LONGEST_QUOTE = 200

/**
 * The end of a message that quotes a variable's value. A secret variable is never quoted, because the secret part of a
 * malformed value cannot be determined. In other variables, possible secrets are masked.
 */
export function notValue(name: string, value: string): string {
  if (KNOWN_VARIABLES.get(name)?.secret) return '; its value is not shown, because it may hold a secret'
  return `, not ${JSON.stringify(masked(value))}`
}

/** Text before an `@` may be a password. So may text after a name for one. */
const CREDENTIALS = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is
const NAMED_SECRET = /((?:password|passwd|pwd|secret|token|key) ?[=:] ?)[^\s&;,]+/gi

/** A value for messages: possible secrets are masked, and it is truncated. */
export function masked(value: string): string {
  if (holdsSecret(value)) return '***'
  const shown = value.slice(0, LONGEST_QUOTE).replace(NAMED_SECRET, '$1***')
  if (!value.includes('@')) return shown
  return value.replace(CREDENTIALS, '$1***@').slice(0, LONGEST_QUOTE).replace(NAMED_SECRET, '$1***')
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'the file does not exist'],
  ['EACCES', 'this process may not read it'],
  ['EPERM', 'this process may not read it'],
  ['EISDIR', 'it is a directory'],
  ['ENAMETOOLONG', 'the path is too long'],
])

/** Why a secret's file cannot be read. The path is not quoted, because it may be the secret itself. */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  return REASONS.get(code) ?? `reading it fails with ${code}`
}
