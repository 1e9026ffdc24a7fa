/** No connection came about. */
const UNREACHED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** Errors of the socket to a database server: the connection is gone, or never came about. */
export const SOCKET_CODES: ReadonlySet<string> = new Set([...UNREACHED, 'ECONNRESET', 'EPIPE'])

/** What such an error means, and what to do where it is not a matter of time. */
export function socketErrorMessage(code: string, message: string): string {
  const reason = message === '' ? code : message
  return UNREACHED.has(code)
    ? `the database cannot be reached: ${reason}; check host and port in QSCOPE_DATABASE_URL, and that it runs`
    : `the connection to the database is lost: ${reason}`
}

/** What stands before a server's refusal to let QScope in. */
export const LOG_IN_REFUSED =
  "the database refuses QScope's log-in (user, password and database stand in QSCOPE_DATABASE_URL): "
