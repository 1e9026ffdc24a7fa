/** Names of SQLite's extended codes that the package reports only by number. */
const EXTENDED: ReadonlyMap<number, string> = new Map([
  [1_034, 'SQLITE_IOERR_FSYNC'],
  [1_290, 'SQLITE_IOERR_DIR_FSYNC'],
  [7_690, 'SQLITE_IOERR_COMMIT_ATOMIC'],
  [8_458, 'SQLITE_IOERR_CORRUPTFS'],
  [8_202, 'SQLITE_IOERR_DATA'],
  [1_032, 'SQLITE_READONLY_DBMOVED'],
  [1_555, 'SQLITE_CONSTRAINT_PRIMARYKEY'],
  [2_067, 'SQLITE_CONSTRAINT_UNIQUE'],
])

/** By the last byte of a code. */
const PRIMARY: ReadonlyMap<number, string> = new Map([
  [1, 'SQLITE_ERROR'],
  [3, 'SQLITE_PERM'],
  [5, 'SQLITE_BUSY'],
  [6, 'SQLITE_LOCKED'],
  [7, 'SQLITE_NOMEM'],
  [8, 'SQLITE_READONLY'],
  [9, 'SQLITE_INTERRUPT'],
  [10, 'SQLITE_IOERR'],
  [11, 'SQLITE_CORRUPT'],
  [13, 'SQLITE_FULL'],
  [14, 'SQLITE_CANTOPEN'],
  [15, 'SQLITE_PROTOCOL'],
  [17, 'SQLITE_SCHEMA'],
  [18, 'SQLITE_TOOBIG'],
  [19, 'SQLITE_CONSTRAINT'],
  [20, 'SQLITE_MISMATCH'],
  [22, 'SQLITE_NOLFS'],
  [23, 'SQLITE_AUTH'],
  [26, 'SQLITE_NOTADB'],
])

/** A failure to open a file is reported only as text that ends with SQLite's code. */
const NOT_OPENED = /Unable to open connection .*: (\d+)"?\)?$/s

/** The name of a SQLite code, such as `SQLITE_BUSY`. Empty for an unknown one. */
export function codeName(code: number): string {
  return EXTENDED.get(code) ?? PRIMARY.get(code % 256) ?? ''
}

/** The same error, with the name of SQLite's code if the library gave none. */
export function namedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code.startsWith('SQLITE_') && !('rawCode' in error && EXTENDED.has(Number(error.rawCode)))) return error
  const [, opening] = NOT_OPENED.exec(error.message) ?? []
  const number = opening ?? ('rawCode' in error ? error.rawCode : undefined)
  return number === undefined ? error : Object.assign(error, { code: codeName(Number(number)) })
}
