import { LibsqlError } from '@libsql/client/http'
import type { LibsqlUrl } from '../../../../domain/libsql-url.ts'
import { messageOf } from '../../../../message-of.ts'
import { DatabaseError, type DatabaseErrorKind } from '../../core/database-error.ts'

/** The error for an HTTP status outside of the protocol. `null`: the answer itself is more specific. */
export function refusalOf(status: number, { base }: LibsqlUrl): DatabaseError | null {
  if (status === 401 || status === 403) {
    return new DatabaseError(
      'unavailable',
      'the database refuses the token: QSCOPE_DATABASE_AUTH_TOKEN_FILE must name the file of a token that allows reading and writing',
    )
  }
  if (status === 404) return new DatabaseError('unavailable', `there is no libSQL database at ${base}`)
  if (status === 429)
    return new DatabaseError('busy', 'the database accepts no more requests at the moment (HTTP status 429)')
  if (status >= 500) return new DatabaseError('lost', `the database answered with the HTTP status ${status}`)
  if (status >= 300 && status < 400) {
    return new DatabaseError(
      'unavailable',
      `the server at ${base} redirects to another server: name that server instead`,
    )
  }
  return null
}

/** By the server's codes: those of SQLite without their extension, and its own. */
const KINDS: ReadonlyMap<string, DatabaseErrorKind> = new Map<string, DatabaseErrorKind>([
  ['SQLITE_CONSTRAINT', 'refused'],
  ['SQLITE_MISMATCH', 'refused'],
  ['SQLITE_TOOBIG', 'refused'],
  ['SQLITE_BUSY', 'busy'],
  ['SQLITE_LOCKED', 'busy'],
  ['SQLITE_PROTOCOL', 'busy'],
  ['TRANSACTION_BUSY', 'busy'],
  ['SQLITE_SCHEMA', 'conflict'],
  ['TRANSACTION_TIMEOUT', 'lost'],
  ['TRANSACTION_CLOSED', 'lost'],
  ['STREAM_EXPIRED', 'lost'],
  ['HRANA_CLOSED_ERROR', 'lost'],
  ['SERVER_ERROR', 'lost'],
  ['SQLITE_FULL', 'unavailable'],
  ['SQLITE_IOERR', 'unavailable'],
  ['SQLITE_NOMEM', 'unavailable'],
  ['SQLITE_INTERRUPT', 'unavailable'],
  ['SQLITE_CANTOPEN', 'unavailable'],
  ['SQLITE_READONLY', 'unavailable'],
  ['SQLITE_PERM', 'unavailable'],
  ['SQLITE_AUTH', 'unavailable'],
  ['BLOCKED', 'unavailable'],
  ['PROXY_ERROR', 'unavailable'],
  ['HRANA_PROTO_ERROR', 'unavailable'],
  ['UNKNOWN', 'unavailable'],
])

/** The transaction is over: the server ended it, or does not know its stream any more. */
const ENDED: ReadonlySet<string> = new Set(['TRANSACTION_TIMEOUT', 'TRANSACTION_CLOSED', 'STREAM_EXPIRED'])

/** Classifies an error of the client library. */
export function databaseErrorOf(error: unknown): DatabaseError {
  const known = ownCause(error)
  if (known !== null) return known
  if (!(error instanceof LibsqlError)) {
    return new DatabaseError('unavailable', `the database cannot be used: ${messageOf(error)}`, error)
  }
  const { code, message } = error
  // Primary and unique keys have the same message. The code only says that it is a constraint, and that of a replica not even that.
  if (message.includes('UNIQUE constraint failed')) return new DatabaseError('duplicate', message, error)
  if (/no such (table|column)/.test(message)) {
    return new DatabaseError('broken', `the schema does not fit (${message}): run \`qscope migrate up\``, error)
  }
  if (ENDED.has(code) || /\bbaton\b/i.test(message)) {
    return new DatabaseError(
      'lost',
      `the database ended the transaction: it took longer than the server allows (about 5 s), or the server was restarted (${message})`,
      error,
    )
  }
  return new DatabaseError(KINDS.get(code) ?? 'broken', `the database reports: ${message}`, error)
}

/** The error that the transport threw, however the library wrapped it. `null`: the server answered. */
export function ownCause(error: unknown): DatabaseError | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (at instanceof DatabaseError) return at
  }
  return null
}

/**
 * Whether a commit certainly failed: the server says that the transaction is over, or still holds it open. After other errors
 * the outcome is unknown.
 */
export function isNotCommitted(error: unknown): boolean {
  return error instanceof LibsqlError && ['TRANSACTION_TIMEOUT', 'SQLITE_BUSY', 'SQLITE_LOCKED'].includes(error.code)
}
