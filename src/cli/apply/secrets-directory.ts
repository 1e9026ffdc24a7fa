import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { sha256 } from '../../crypto/digest.ts'
import { TOKEN_LENGTH } from '../../crypto/token.ts'
import { makeDirectories } from '../../make-directories.ts'
import { messageOf } from '../../message-of.ts'

const FILE_MODE = 0o600
const OTHERS = 0o077
const PENDING = '.pending'
/** As long as a client secret. */
const RESERVATION = 'x'.repeat(TOKEN_LENGTH)

/** The format of secret files: the secret alone, or a Kubernetes Secret. */
export const SECRET_FORMATS = Object.freeze(['file', 'kubernetes'] as const)
export type SecretFormat = (typeof SECRET_FORMATS)[number]

/**
 * A prepared place for a secret that is not yet generated. It exists on the disk, so only a disk failure can lose the
 * secret.
 */
export interface Delivery {
  /** Writes the secret durably. Until then a rerun finds that it was not delivered. */
  deliver(secret: string): void
  /** Removes the place if no secret was generated. */
  withdraw(): void
}

/** The destination for new client secrets. */
export interface SecretsPlace {
  /** Whether a secret was requested but perhaps never written. */
  isPending(clientId: string): boolean
  /** An existing file with the name of the client's secret, from another server or a deleted client. */
  existingFile(clientId: string): string | null
  /** The file that marks a pending secret. */
  pendingFile(clientId: string): string
  /** Prepares a durable place for a client's secret. Throws if it cannot. */
  prepare(clientId: string): Delivery
}

/** For plans that are only displayed, perhaps for another server. No secret is pending or in the way. */
export const NO_SECRETS: SecretsPlace = Object.freeze({
  isPending: () => false,
  existingFile: () => null,
  pendingFile: () => '',
  prepare: () => {
    throw new Error('a plan that is only shown creates no secret')
  },
})

/**
 * The directory for new client secrets, one file each, readable by the owner only. If the process is killed before it
 * writes a generated secret, a `.pending` file remains.
 */
export class SecretsDirectory implements SecretsPlace {
  readonly #path: string
  readonly #format: SecretFormat
  readonly #delivered: string[] = []
  #locked = false

  constructor(path: string, format: SecretFormat) {
    this.#path = path
    this.#format = format
  }

  /** The files that secrets were written to. */
  get delivered(): readonly string[] {
    return this.#delivered
  }

  isPending(clientId: string): boolean {
    const pending = lstatSync(this.#pendingFile(clientId), { throwIfNoEntry: false })
    return pending !== undefined && !this.#isDelivered(clientId, pending)
  }

  existingFile(clientId: string): string | null {
    const file = this.#fileOf(clientId)
    return exists(file) ? file : null
  }

  pendingFile(clientId: string): string {
    return this.#pendingFile(clientId)
  }

  /**
   * Creates the directory, restricts access to the owner, locks it, and excludes it from git. Throws if secrets cannot
   * be written to it.
   */
  open(): void {
    if (this.#locked) return
    try {
      makeDirectories(this.#path)
      this.#assertPrivate()
      this.#lock()
      const ignore = join(this.#path, '.gitignore')
      // A process that was killed, or a full disk, may have left an empty file.
      if (!exists(ignore) || lstatSync(ignore).size === 0) writeFileSync(ignore, '*\n', { mode: FILE_MODE })
    } catch (error) {
      this.close()
      throw this.#withPath(error)
    }
  }

  prepare(clientId: string): Delivery {
    this.open()
    const pending = this.#pendingFile(clientId)
    const isNew = !exists(pending)
    try {
      // A disk that is full shows it now, before there is a secret.
      this.#write(pending, this.#textOf(clientId, RESERVATION))
      this.#sync()
    } catch (error) {
      if (isNew) rmSync(pending, { force: true })
      throw this.#withPath(error)
    }
    return {
      deliver: (secret) => {
        this.#write(pending, this.#textOf(clientId, secret))
        this.#link(pending, this.#fileOf(clientId))
        this.#delivered.push(this.#fileOf(clientId))
        rmSync(pending, { force: true })
        this.#sync()
      },
      withdraw: () => {
        rmSync(pending, { force: true })
        this.#sync()
      },
    }
  }

  /** Removes `.pending` files whose secret was delivered before the process was killed. */
  completeDeliveries(): void {
    if (!exists(this.#path)) return
    for (const name of readdirSync(this.#path)) {
      if (!name.endsWith(PENDING)) continue
      const pending = lstatSync(join(this.#path, name), { throwIfNoEntry: false })
      const clientId = name.slice(0, -PENDING.length)
      if (pending !== undefined && this.#isDelivered(clientId, pending))
        rmSync(this.#pendingFile(clientId), { force: true })
    }
  }

  /** Lets others write to the directory. */
  close(): void {
    if (!this.#locked) return
    rmSync(this.#lockFile, { force: true })
    this.#locked = false
  }

  /** Errors of the operating system do not say which directory they are about. */
  #withPath(error: unknown): unknown {
    return isSystemError(error) ? new Error(`secrets cannot be written to ${this.#path}: ${error.message}`) : error
  }

  get #lockFile(): string {
    return resolve(this.#path, '.lock')
  }

  #assertPrivate(): void {
    const status = lstatSync(this.#path)
    if (!status.isDirectory()) throw new Error(`${this.#path} is not a directory: give another one with --secrets-dir`)
    if ((status.mode & OTHERS) !== 0) {
      throw new Error(
        `other users can read the directory ${this.#path}: run chmod 700 ${this.#path}, or give another one with --secrets-dir`,
      )
    }
  }

  /** Two processes in one directory would take each other's pending secrets for lost ones. */
  #lock(): void {
    if (this.#tryLock()) return
    const holder = this.#lockHolder()
    if (holder === null || isAnotherAlive(holder)) {
      throw new Error(
        `another qscope apply (process ${holder ?? 'unknown'}) is writing to ${this.#path}: wait for it, or remove ${this.#lockFile} if that process has ended`,
      )
    }
    // The process that removes the stale lock first creates the next one.
    const stale = join(this.#path, `.lock-of-${holder}`)
    try {
      renameSync(this.#lockFile, stale)
    } catch (error) {
      if (!isOfCode(error, 'ENOENT')) throw error
    }
    rmSync(stale, { force: true })
    this.#lock()
  }

  /** Whether the lock was free. */
  #tryLock(): boolean {
    let descriptor: number
    try {
      descriptor = openSync(this.#lockFile, 'wx', FILE_MODE)
    } catch (error) {
      if (isOfCode(error, 'EEXIST')) return false
      throw error
    }
    this.#locked = true
    try {
      writeFileSync(descriptor, `${process.pid}\n`)
    } catch (error) {
      // On a full disk. An empty lock would never be released.
      this.close()
      throw error
    } finally {
      closeSync(descriptor)
    }
    return true
  }

  /** The process that holds the lock. `null`: it has just created or released the lock. */
  #lockHolder(): number | null {
    if (!exists(this.#lockFile)) return null
    const text = readFileSync(this.#lockFile, 'utf8').trim()
    return text === '' ? null : Number(text)
  }

  /** Each file name ends with its own suffix, so that no two client ids collide. */
  #pendingFile(clientId: string): string {
    return join(this.#path, clientId + PENDING)
  }

  #fileOf(clientId: string, format = this.#format): string {
    return join(this.#path, format === 'file' ? `${clientId}.secret` : `${clientId}.secret.yaml`)
  }

  /** Whether the pending file is the file of the secret by another name. */
  #isDelivered(clientId: string, pending: Stats): boolean {
    return SECRET_FORMATS.some((format) => {
      const file = lstatSync(this.#fileOf(clientId, format), { throwIfNoEntry: false })
      return file?.ino === pending.ino && file.dev === pending.dev
    })
  }

  /** Gives the pending file its final name durably. A rename would replace a file that was created meanwhile. */
  #link(pending: string, file: string): void {
    try {
      linkSync(pending, file)
    } catch (error) {
      throw new Error(`the secret is in ${pending}, because it cannot be moved to ${file}: ${messageOf(error)}`)
    }
    this.#sync()
  }

  #textOf(clientId: string, secret: string): string {
    return this.#format === 'file' ? secret : kubernetesSecret(clientId, secret)
  }

  /** Writes over the previous text, whose space is still reserved, and cuts off the rest. */
  #write(file: string, text: string): void {
    const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants
    const descriptor = openSync(file, O_WRONLY | O_CREAT | O_NOFOLLOW, FILE_MODE)
    try {
      // The file may have existed already, or a umask may have removed the owner's permissions.
      fchmodSync(descriptor, FILE_MODE)
      writeFileSync(descriptor, text)
      ftruncateSync(descriptor, Buffer.byteLength(text))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }

  #sync(): void {
    const descriptor = openSync(this.#path, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
}

/** Whether there is a file. Throws if the directory cannot be searched, where `existsSync` would say no. */
function exists(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined
}

/** Whether the operating system refused something. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error
}

function isOfCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/**
 * Whether another process with this id exists, of any user. A process has one directory of secrets, so a lock with its
 * own id is left over from an earlier process: in a container every process may have the same id.
 */
function isAnotherAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return isOfCode(error, 'EPERM')
  }
}

/** RFC 1123, which Kubernetes requires for object names. */
const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,240}[a-z0-9])?$/
const DIGEST_LENGTH = 8

/** The manifest of a Kubernetes Secret with the client's credentials. */
export function kubernetesSecret(clientId: string, secret: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: objectName(clientId), labels: { 'app.kubernetes.io/managed-by': 'qscope' } },
    type: 'Opaque',
    stringData: { 'client-id': clientId, 'client-secret': secret },
  })
}

/** Different ids get different names. An id that is not a valid name gets a suffix from its digest. */
function objectName(clientId: string): string {
  if (OBJECT_NAME.test(clientId) && !clientId.includes('..')) return clientId
  const plain = clientId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  const digest = sha256(clientId).toString('hex').slice(0, DIGEST_LENGTH)
  return plain === '' ? `client-${digest}` : `${plain}-${digest}`
}
