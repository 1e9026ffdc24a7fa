import { SOCKET_CODES } from '../../server/socket-codes.ts'
import { DatabaseTrouble } from '../../trouble.ts'

/** Said by the driver. */
const CONNECTION_LOST = 'PROTOCOL_CONNECTION_LOST'

/** Tells what an error of MySQL or MariaDB means to its callers, as long as no commit was sent. */
export function troubleOf(error: unknown): DatabaseTrouble {
  if (error instanceof DatabaseTrouble) return error
  const { code, errno, message, fatal } = describe(error)
  switch (errno) {
    case 1062: // duplicate key
      return new DatabaseTrouble('duplicate', message, error)
    case 1213: // deadlock; on Galera also a conflict with another node
    case 1205: // lock wait timeout
    case 1020: // record changed since it was read
      return new DatabaseTrouble('conflict', message, error)
    case 1290: // --read-only, --super-read-only
    case 1792: // read-only transaction
    case 1836: // read-only mode
      // Another host, or this one after a switch-over, takes writes.
      return new DatabaseTrouble('lost', `the database is read-only: ${message}`, error)
    case 1047: // a node of a cluster that has no quorum, or is joining
    case 1053: // shutting down
    case 1927: // killed
      return new DatabaseTrouble('lost', `the database server does not answer: ${message}`, error)
    case 1021: // disk full
    case 1114: // table full
      return new DatabaseTrouble('unavailable', `there is no space left for the database: ${message}`, error)
    case 1040: // too many connections
    case 1203: // too many connections of this user
    case 1317: // killed
    case 3024: // statement timeout
      return new DatabaseTrouble('unavailable', `the database refuses work: ${message}`, error)
    case 1044: // access denied
    case 1045:
    case 1049: // unknown database
    case 1142:
      return new DatabaseTrouble('unavailable', `the database cannot be opened: ${message}`, error)
    case 1146: // no such table
    case 1054: // no such column
      return new DatabaseTrouble('broken', `the schema does not fit (${message}): run \`qscope migrate up\``, error)
    case 1048: // null
    case 1264: // out of range
    case 1366: // wrong value
    case 1406: // too long
    case 1451: // foreign keys
    case 1452:
    case 1644: // a trigger's signal
    case 3819: // check
    case 4025:
      return new DatabaseTrouble('refused', message, error)
    default:
  }
  if (fatal || code === CONNECTION_LOST || SOCKET_CODES.has(code)) {
    return new DatabaseTrouble('lost', `the connection to the database is lost: ${message || code}`, error)
  }
  return new DatabaseTrouble('broken', message, error)
}

function describe(error: unknown) {
  if (!(error instanceof Error)) return { code: '', errno: 0, message: String(error), fatal: false }
  return {
    code: 'code' in error && typeof error.code === 'string' ? error.code : '',
    errno: 'errno' in error && typeof error.errno === 'number' ? error.errno : 0,
    // The client's own state errors name no code.
    fatal: ('fatal' in error && error.fatal === true) || error.message.includes('closed state'),
    message: error.message,
  }
}
