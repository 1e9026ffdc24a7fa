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

/** The file that a database URL names, as an absolute path; `null` if it is to live in memory only. */
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
  // The library would cut it off, and open another file.
  if (plain !== plain.trim()) {
    throw new DatabaseError(
      'unavailable',
      `the path of the database has white space around it: ${JSON.stringify(plain)}`,
    )
  }
  return resolve(plain)
}

/**
 * Creates the file and its directories if they are absent, for nobody else to
 * read, whatever the umask. A path that led nowhere may be mistyped, so that is said.
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
    // A file that may only be read is opened all the same: what fails then is the writing.
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return
    throw new DatabaseError('unavailable', `the database ${file} cannot be created: ${messageOf(error)}`, error)
  }
}

/** SQLite gives its log and its index the mode of the file. */
function createPrivately(file: string): void {
  try {
    const created = openSync(file, 'wx', OWNER_ONLY)
    // A umask may have taken the owner's rights, too.
    fchmodSync(created, OWNER_ONLY)
    closeSync(created)
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (!isThere) throw error
    // This process may have it open already: to close another descriptor of it would take the locks of SQLite (fcntl).
    const existing = statSync(file, { throwIfNoEntry: false })
    if (existing?.isFile()) return
    if (existing !== undefined) throw new Error('it is not a regular file')
    // A link that leads to nothing yet is there, too.
    closeSync(openSync(file, 'a', OWNER_ONLY))
  }
}

/** Why a file or its directory cannot be written; `null` if it is not for that. */
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

/** Of the index beside its log, which also those who only read make where there is none. */
const INDEX_BYTES = 32_768

/** Whether there is no space even for the index without which nobody reads a file. */
export function lacksSpace(file: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(file))
    return bavail * bsize < INDEX_BYTES
  } catch {
    return false
  }
}

/** A file in a directory of its own, which `remove` removes while connections keep using it. */
export function temporaryFile(): { readonly file: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-'))
  return { file: join(directory, 'qscope.db'), remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/** On a small volume the write-ahead log takes no more than this part of it. */
const SHARE_OF_VOLUME = 1 / 16
const MIN_WAL_BYTES = 262_144

/** How large the write-ahead log may get before it is folded back, in bytes: as much as may be, if the volume has room. */
export function walLimitFor(file: string, most: number): number {
  const { blocks, bsize } = statfsSync(dirname(file))
  return Math.min(most, Math.max(MIN_WAL_BYTES, Math.floor(blocks * bsize * SHARE_OF_VOLUME)))
}
