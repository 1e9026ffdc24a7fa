import { SOCKET_CODES } from '../../server/socket-codes.ts'
import { DatabaseTrouble } from '../../trouble.ts'

/**
 * Tells what an error of PostgreSQL means to its callers, as long as no commit was sent.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function troubleOf(error: unknown): DatabaseTrouble {
  if (error instanceof DatabaseTrouble) return error
  const { code, message } = describe(error)
  switch (code) {
    case '23505': // unique violation
      return new DatabaseTrouble('duplicate', message, error)
    case '40001': // serialization failure
    case '40P01': // deadlock
    case '55P03': // lock timeout
      return new DatabaseTrouble('conflict', message, error)
    case '25006': // read-only transaction: a replica, or a primary no more
      return new DatabaseTrouble('lost', `the database is read-only: ${message}`, error)
    case '57P01': // shutting down
    case '57P02': // crashed
    case '57P03': // starting up
      return new DatabaseTrouble('lost', `the database server does not answer: ${message}`, error)
    case '53100': // disk full
      return new DatabaseTrouble('unavailable', `there is no space left for the database: ${message}`, error)
    case '57014': // canceled
      return new DatabaseTrouble('unavailable', `the database refuses work: ${message}`, error)
    case '3D000': // unknown database
    case '42501': // no privilege
      return new DatabaseTrouble('unavailable', `the database cannot be opened: ${message}`, error)
    case '42P01': // no such table
    case '42703': // no such column
      return new DatabaseTrouble('broken', `the schema does not fit (${message}): run \`qscope migrate up\``, error)
    default:
  }
  switch (code.slice(0, 2)) {
    case '08': // connection exception
      return new DatabaseTrouble('lost', `the connection to the database is lost: ${message}`, error)
    case '22': // a value that does not fit
    case '23': // another constraint, or a trigger's refusal
      return new DatabaseTrouble('refused', message, error)
    case '28': // authorization
      return new DatabaseTrouble('unavailable', `the database cannot be opened: ${message}`, error)
    case '53': // too many connections, out of memory
      return new DatabaseTrouble('unavailable', `the database refuses work: ${message}`, error)
    default:
  }
  if (SOCKET_CODES.has(code) || isDriverLoss(error)) {
    return new DatabaseTrouble('lost', `the connection to the database is lost: ${message || code}`, error)
  }
  return new DatabaseTrouble('broken', message, error)
}

/** What the driver says of a connection that ended has no code. */
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
