import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Logger } from '../../../../context.ts'
import { makeDirectories } from '../../../../make-directories.ts'
import { messageOf } from '../../../../message-of.ts'
import { DatabaseError } from '../../core/database-error.ts'

const SCHEME = /^(?:sqlite|libsql):/
const MEMORY = ':memory:'
const OWNER_ONLY = 0o600

/** The absolute path of the file in a database URL. `null`: an in-memory database. */
export function embeddedFile(url: string): string | null {
  const [scheme = ''] = SCHEME.exec(url) ?? []
  const path = url.slice(scheme.length)
  if (path === MEMORY) return null
  const plain = path.replace(/^\/\/(?=\/)/, '')
  if (scheme === '' || plain === '') {
    throw new DatabaseError(
      'unavailable',
      `the URL of an embedded database is sqlite:<path>, sqlite:${MEMORY} or libsql:<path>`,
    )
  }
  // The library would trim the path and open another file.
  if (plain !== plain.trim()) {
    throw new DatabaseError(
      'unavailable',
      `the path of the database has white space around it: ${JSON.stringify(plain)}`,
    )
  }
  return resolve(plain)
}

/**
 * Creates a missing file and its directories, readable only by the owner, whatever the umask. A new directory may be due to a
 * mistyped path, so it is logged.
 */
export function provideFile(file: string, log: Logger): void {
  const directory = dirname(file)
  try {
    const made = makeDirectories(directory)
    if (made !== null && made !== directory) {
      log.warn({ file }, `created the directory ${made} for the database ${file}`)
    }
    createPrivately(file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    // A read-only file is still opened. Only writes fail then.
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return
    throw new DatabaseError('unavailable', `the database ${file} cannot be created: ${messageOf(error)}`, error)
  }
}

/** SQLite creates its log and its index with the mode of the file. */
function createPrivately(file: string): void {
  try {
    const created = openSync(file, 'wx', OWNER_ONLY)
    // A umask may have removed the owner's rights, too.
    fchmodSync(created, OWNER_ONLY)
    closeSync(created)
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (!isThere) throw error
    // This process may already have the file open. Closing another descriptor of it would release SQLite's locks (fcntl).
    const existing = statSync(file, { throwIfNoEntry: false })
    if (existing?.isFile()) return
    if (existing !== undefined) throw new Error('it is not a regular file')
    // This is also a link whose target does not exist yet.
    closeSync(openSync(file, 'a', OWNER_ONLY))
  }
}

/** Why a file or its directory cannot be written. `null`: no reason was found. */
export function whyNotWritable(file: string): string | null {
  for (const path of [dirname(file), file]) {
    try {
      accessSync(path, constants.W_OK)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null
      if (code === 'EROFS') return 'its file system is read-only'
      if (code === 'EACCES' || code === 'EPERM') return `no permission to write ${path}`
    }
  }
  return null
}

/** The size of the log's index, which readers create as well if it is missing. */
const INDEX_BYTES = 32_768

/** Whether there is not even space for the index that every reader needs. */
export function lacksSpace(file: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(file))
    return bavail * bsize < INDEX_BYTES
  } catch {
    return false
  }
}

/** A file in its own directory. `remove` unlinks it while connections keep using it. */
export function temporaryFile(): { readonly file: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-'))
  return { file: join(directory, 'qscope.db'), remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/** The largest share of a small volume for the write-ahead log. */
const SHARE_OF_VOLUME = 1 / 16
const MIN_WAL_BYTES = 262_144

/** The size in bytes at which the write-ahead log is checkpointed: `most`, if the volume has space. */
export function walLimitFor(file: string, most: number): number {
  const { blocks, bsize } = statfsSync(dirname(file))
  return Math.min(most, Math.max(MIN_WAL_BYTES, Math.floor(blocks * bsize * SHARE_OF_VOLUME)))
}
