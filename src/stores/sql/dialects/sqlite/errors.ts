import { DatabaseError } from '../../core/database-error.ts'
import { lacksSpace, whyNotWritable } from './location.ts'

/** An error of SQLite in a form that can be sent between threads. */
export interface SqliteFailure {
  /** Such as `SQLITE_BUSY`. Empty for other errors. */
  readonly code: string
  readonly message: string
}

export function failureOf(error: unknown): SqliteFailure {
  if (!(error instanceof Error)) return { code: '', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return { code, message: error.message }
}

const UNCONFIRMED: ReadonlySet<string> = new Set([
  'SQLITE_IOERR_FSYNC',
  'SQLITE_IOERR_DIR_FSYNC',
  'SQLITE_IOERR_COMMIT_ATOMIC',
])
/** The file system detected that the data is not what was written. */
const DAMAGED: ReadonlySet<string> = new Set(['SQLITE_IOERR_CORRUPTFS', 'SQLITE_IOERR_DATA'])

/** Classifies an error of SQLite. */
export function databaseErrorOf({ code, message }: SqliteFailure, file: string, cause?: unknown): DatabaseError {
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    return new DatabaseError('duplicate', message, cause)
  }
  // The commit may survive on disk although it was rolled back.
  if (UNCONFIRMED.has(code)) {
    return new DatabaseError('outcome_unknown', `the disk did not confirm what was written to ${file}`, cause)
  }
  if (DAMAGED.has(code)) {
    return new DatabaseError('broken', `the database ${file} is damaged (${message}): restore it from a backup`, cause)
  }
  const family = code.split('_').slice(0, 2).join('_')
  switch (family) {
    case 'SQLITE_CONSTRAINT':
    case 'SQLITE_MISMATCH':
    case 'SQLITE_TOOBIG':
      return new DatabaseError('refused', message, cause)
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
    case 'SQLITE_PROTOCOL':
      return new DatabaseError('busy', `another process holds the lock of the database ${file}`, cause)
    case 'SQLITE_FULL':
      return new DatabaseError('unavailable', `there is no space left for the database ${file}`, cause)
    case 'SQLITE_READONLY':
      return new DatabaseError(
        'unavailable',
        code === 'SQLITE_READONLY_DBMOVED'
          ? `the database ${file} was moved or removed while it was open`
          : `the database ${file} is read-only`,
        cause,
      )
    case 'SQLITE_NOMEM':
    case 'SQLITE_INTERRUPT':
    case 'SQLITE_NOLFS':
      return new DatabaseError('unavailable', `the database ${file} has no resources left: ${message}`, cause)
    case 'SQLITE_SCHEMA':
      return new DatabaseError('conflict', message, cause)
    case 'SQLITE_IOERR':
      if (lacksSpace(file)) {
        return new DatabaseError(
          'unavailable',
          `there is no space left for the database ${file}: without a running server, reading it needs 32 KiB of free space`,
          cause,
        )
      }
      return new DatabaseError('unavailable', `the database ${file} cannot be read or written: ${message}`, cause)
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_PERM':
    case 'SQLITE_AUTH':
      return new DatabaseError(
        'unavailable',
        `the database ${file} cannot be opened: ${whyNotWritable(file) ?? message}`,
        cause,
      )
    case 'SQLITE_CORRUPT':
      return new DatabaseError('broken', `the database ${file} is corrupt: restore it from a backup`, cause)
    case 'SQLITE_NOTADB':
      return new DatabaseError('broken', `${file} is not an SQLite database`, cause)
    case 'SQLITE_ERROR':
      return message.startsWith('no such table') || message.startsWith('no such column')
        ? new DatabaseError(
            'broken',
            `the schema of ${file} does not fit (${message}): run \`qscope migrate up\``,
            cause,
          )
        : new DatabaseError('broken', message, cause)
    default:
      return new DatabaseError('broken', message, cause)
  }
}

/** The errors of one open file. After corruption, the file is not trusted again. */
export class FileErrors {
  readonly file: string
  /** The first corruption error. */
  corruption: DatabaseError | null = null

  constructor(file: string) {
    this.file = file
  }

  of(failure: SqliteFailure, cause?: unknown): DatabaseError {
    const error = databaseErrorOf(failure, this.file, cause)
    if (/^SQLITE_(CORRUPT|NOTADB|IOERR_CORRUPTFS|IOERR_DATA)/.test(failure.code)) this.corruption ??= error
    return error
  }

  /** Runs work on the file in this thread. */
  guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw this.of(failureOf(error), error)
    }
  }
}
