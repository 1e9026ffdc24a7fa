import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { whyUnreadable } from '../../config/quoted.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { makeDirectories } from '../../make-directories.ts'
import { type Context, isContextName, type NamedContext, parseContext, printContext } from './context.ts'

const OWNER_ONLY = 0o600
const OPEN_TO_OTHERS = 0o077
const EXTENSION = '.json'
/** Longer than a refresh takes. A process that held the lock for this long has died. */
const LOCK_LIFETIME_MS = 60_000
const LOCK_RETRY_MS = 50

/**
 * The contexts of a user. Each is a file in `qscope/contexts` of the configuration directory (XDG Base Directory
 * Specification 0.8). The name of the one in use is stored next to them. Files are written atomically, are readable
 * only by their owner, and are not read if others may read them.
 */
export class ContextStore {
  /** `null`: the user has no configuration directory, and therefore no contexts. */
  readonly #home: string | null

  constructor(home: string | null) {
    this.#home = home
  }

  /** The store of the user of this process. A relative XDG_CONFIG_HOME is ignored, as the specification requires. */
  static ofUser(env: Readonly<Record<string, string | undefined>>): ContextStore {
    const { XDG_CONFIG_HOME: chosen = '' } = env
    const configuration = isAbsolute(chosen) ? chosen : defaultConfiguration()
    return new ContextStore(configuration === null ? null : join(configuration, 'qscope'))
  }

  /** The names of all contexts, sorted. */
  names(): readonly string[] {
    if (this.#home === null || !existsSync(this.#folder)) return []
    return readdirSync(this.#folder)
      .filter((file) => file.endsWith(EXTENSION))
      .map((file) => file.slice(0, -EXTENSION.length))
      .filter(isContextName)
      .toSorted()
  }

  /** `null`: there is no context of this name. */
  find(name: string): Context | null {
    const path = this.#path(name)
    const text = readPrivate(path)
    if (text === null) return null
    const context = parseContext(text)
    if (context === null) {
      throw new Error(`the context file ${path} is not valid: remove it, then run qscope context set ${name}`)
    }
    return context
  }

  get(name: string): Context {
    const context = isContextName(name) && this.#home !== null ? this.find(name) : null
    if (context !== null) return context
    const names = this.names()
    const known = names.length === 0 ? 'no context exists yet' : `known contexts: ${names.join(', ')}`
    throw new Error(`the context ${name} does not exist; ${known}. Create one with qscope context set`)
  }

  save({ name, context }: NamedContext): void {
    writePrivate(this.#folder, this.#path(name), printContext(context))
  }

  delete(name: string): void {
    unlinkSync(this.#path(name))
    if (this.current() === name) this.use(null)
  }

  /** The name of the context in use. `null`: none. */
  current(): string | null {
    if (this.#home === null || !existsSync(this.#currentPath)) return null
    const name = readFileSync(this.#currentPath, 'utf8').trim()
    return isContextName(name) ? name : null
  }

  use(name: string | null): void {
    if (name !== null) writePrivate(this.#place, this.#currentPath, `${name}\n`)
    else if (this.current() !== null) unlinkSync(this.#currentPath)
  }

  /**
   * Replaces a context by the result of `change`. Concurrent processes run one after the other, each with the result of
   * the previous one.
   */
  async change(name: string, change: (context: Context) => Promise<Context> | Context): Promise<Context> {
    const lock = `${this.#path(name)}.lock`
    this.get(name)
    await takeLock(lock)
    try {
      const before = this.get(name)
      const after = await change(before)
      if (after !== before) this.save({ name, context: after })
      return after
    } finally {
      unlinkSync(lock)
    }
  }

  get #place(): string {
    if (this.#home === null) throw new Error('this user has no home directory: set XDG_CONFIG_HOME')
    return this.#home
  }

  get #folder(): string {
    return join(this.#place, 'contexts')
  }

  get #currentPath(): string {
    return join(this.#place, 'current-context')
  }

  #path(name: string): string {
    return join(this.#folder, name + EXTENSION)
  }
}

/** `null`: the user has no home directory, for example a container user without a passwd entry. */
function defaultConfiguration(): string | null {
  try {
    return join(homedir(), '.config')
  } catch {
    return null
  }
}

/** The text of a file that only its owner may read; `null` if there is none. */
function readPrivate(path: string): string | null {
  if (!existsSync(path)) return null
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw new Error(`the context file ${path} cannot be read: ${whyUnreadable(error)}`)
  }
  try {
    const { mode } = fstatSync(file)
    if (process.platform !== 'win32' && (mode & OPEN_TO_OTHERS) !== 0) {
      throw new Error(
        `the context file ${path} contains secrets, and other users can read it: run chmod 600 ${path}, and replace the secrets if others may have read them`,
      )
    }
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

function writePrivate(folder: string, path: string, text: string): void {
  makeDirectories(folder)
  const temporary = join(folder, `.${uuidV7()}.tmp`)
  const file = openSync(temporary, 'wx', OWNER_ONLY)
  try {
    try {
      // A umask may have removed the owner's permissions.
      fchmodSync(file, OWNER_ONLY)
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    unlinkSync(temporary)
    throw error
  }
}

/**
 * Waits for the lock. A lock left by a dead process is taken over. If two processes take it over at once, both continue
 * without a lock: a refresh that is repeated within the client's replay window gets the same answer.
 */
async function takeLock(path: string): Promise<void> {
  while (!tryLock(path)) {
    const since = modifiedAt(path)
    if (since !== null && Date.now() - since > LOCK_LIFETIME_MS) unlinkSync(path)
    else await sleep(LOCK_RETRY_MS)
  }
}

function tryLock(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', OWNER_ONLY))
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** In ms since 1970; `null`: the file was removed. */
function modifiedAt(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null
}
