import { DatabaseError, type DatabaseErrorKind, UnfitHostError } from '../../core/database-error.ts'
import { LOG_IN_REFUSED, SOCKET_CODES, socketErrorMessage } from '../../server/open-connection.ts'

interface Meaning {
  readonly kind: DatabaseErrorKind
  /** Precedes the server's message. `''`: none. */
  readonly prefix: string
}

const READ_ONLY: Meaning = { kind: 'lost', prefix: 'the database is read-only: ' }
const GONE: Meaning = { kind: 'lost', prefix: 'the database server does not answer: ' }
const STATEMENTS: Meaning = { kind: 'lost', prefix: 'the database has lost a prepared statement: ' }
const LOST: Meaning = { kind: 'lost', prefix: 'the connection to the database is lost: ' }
const FULL: Meaning = { kind: 'unavailable', prefix: 'there is no space left for the database: ' }
const EXHAUSTED: Meaning = { kind: 'unavailable', prefix: 'the database has no resources left: ' }
const BROKEN_OFF: Meaning = { kind: 'unavailable', prefix: 'the database canceled the statement: ' }
const NOT_NOW: Meaning = { kind: 'unavailable', prefix: 'the database cannot do this now: ' }
const LOG_IN: Meaning = { kind: 'unavailable', prefix: LOG_IN_REFUSED }
const CONFLICT: Meaning = { kind: 'conflict', prefix: '' }
const REFUSED: Meaning = { kind: 'refused', prefix: '' }
const BROKEN: Meaning = { kind: 'broken', prefix: '' }
const DENIED: Meaning = {
  kind: 'broken',
  prefix:
    'the database user of QScope lacks a privilege (docs/databases.md has the grants; qscope doctor names what is missing): ',
}

/** By the class of the code, its first two characters, if no commit was sent. */
const CLASSES: Readonly<Record<string, Meaning>> = {
  '08': LOST, // connection exception
  '22': REFUSED, // a value that does not fit
  '23': REFUSED, // another constraint, or a trigger's refusal
  '28': LOG_IN, // authorization
  '40': CONFLICT, // transaction rollback
  '53': EXHAUSTED, // insufficient resources: too many connections, out of memory
  '55': NOT_NOW, // object not in prerequisite state
  '57': NOT_NOW, // operator intervention
  '58': EXHAUSTED, // system error, such as an I/O error
  '72': CONFLICT, // snapshot failure
}

/** Codes that differ from their class or have none. */
const CODES: Readonly<Record<string, Meaning>> = {
  '23505': { kind: 'duplicate', prefix: '' }, // unique_violation
  '25006': READ_ONLY, // read_only_sql_transaction: a replica, or a primary no more
  '25P03': GONE, // idle_in_transaction_session_timeout
  '25P04': GONE, // transaction_timeout
  '26000': STATEMENTS, // invalid_sql_statement_name: a pooler gave the statement's connection away
  '3D000': LOG_IN, // invalid_catalog_name
  '40002': REFUSED, // transaction_integrity_constraint_violation
  '40003': { kind: 'outcome_unknown', prefix: '' }, // statement_completion_unknown
  '42501': DENIED, // insufficient_privilege
  '42P05': STATEMENTS, // duplicate_prepared_statement
  '53100': FULL, // disk_full
  '55P02': BROKEN, // cant_change_runtime_param
  '55P03': CONFLICT, // lock_not_available
  '57014': BROKEN_OFF, // query_canceled
  '57P01': GONE, // admin_shutdown
  '57P02': GONE, // crash_shutdown
  '57P03': GONE, // cannot_connect_now
  '57P04': GONE, // database_dropped
  '57P05': GONE, // idle_session_timeout
  '58P01': BROKEN, // undefined_file
  '58P02': BROKEN, // duplicate_file
}

/** undefined_table, undefined_column */
const MISFITS: ReadonlySet<string> = new Set(['42P01', '42703'])

/**
 * Classifies an error of PostgreSQL if no commit was sent.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function databaseErrorOf(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error
  const { code, message } = describe(error)
  if (MISFITS.has(code)) {
    return new DatabaseError('broken', `the schema does not fit (${message}): run \`qscope migrate up\``, error)
  }
  // System codes, such as EPIPE, differ in length from the server's.
  const meaning = /^[0-9A-Z]{5}$/.test(code) ? (CODES[code] ?? CLASSES[code.slice(0, 2)]) : undefined
  if (meaning === READ_ONLY) return new UnfitHostError(`${meaning.prefix}${message}`, error)
  if (meaning !== undefined) return new DatabaseError(meaning.kind, `${meaning.prefix}${message}`, error)
  // The schema was changed in the meantime. A new connection prepares again.
  if (/cached plan must not change/.test(message))
    return new DatabaseError('lost', `${STATEMENTS.prefix}${message}`, error)
  if (SOCKET_CODES.has(code) || isDriverLoss(error)) {
    return new DatabaseError('lost', socketErrorMessage(code, message), error)
  }
  return new DatabaseError('broken', message, error)
}

/** The driver's error for a closed connection has no code. */
function isDriverLoss(error: unknown): boolean {
  return (
    error instanceof Error &&
    /Connection terminated|not queryable|Client was closed|timeout expired|socket disconnected/.test(error.message)
  )
}

function describe(error: unknown) {
  if (!(error instanceof Error)) return { code: '', message: String(error) }
  return { code: 'code' in error && typeof error.code === 'string' ? error.code : '', message: error.message }
}
