import { holdsSecret } from '../domain/secret-text.ts'
import { KNOWN_VARIABLES } from './variables.ts'

/** Longer values are cut where a message quotes them. */
const LONGEST_QUOTE = 200

/**
 * How a message ends that tells what a variable holds. The value of a secret
 * variable is never quoted: nobody can tell which part of a malformed one is the
 * secret. Of another variable, what may be a secret in the wrong place is masked.
 */
export function notValue(name: string, value: string): string {
  if (KNOWN_VARIABLES.get(name)?.secret) return '; its value is not shown, because it may hold a secret'
  return `, not ${JSON.stringify(masked(value))}`
}

/** What stands before an `@` may be a password, and so may what follows a name that says so. */
const CREDENTIALS = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is
const NAMED_SECRET = /((?:password|passwd|pwd|secret|token|key) ?[=:] ?)[^\s&;,]+/gi

/** A value as a message may hold it: without what may be a secret in the wrong place, and not too long. */
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

/**
 * Why a file that should hold a secret cannot be read. The path is not quoted: it
 * may be the secret itself, given where the path belongs.
 */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  return REASONS.get(code) ?? `reading it fails with ${code}`
}
