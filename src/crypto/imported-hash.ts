import { pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { SecretHash } from '../domain/ids.ts'
import { neighbour } from '../neighbour.ts'
import { randomBytes } from './random.ts'

/** The parsed hash that another server made of a client's secret. */
type ImportedHash =
  | { readonly kind: 'bcrypt'; readonly hash: string; readonly cost: number }
  | {
      readonly kind: 'pbkdf2'
      readonly digest: 'sha256' | 'sha512'
      readonly iterations: number
      readonly salt: Buffer
      readonly hash: Buffer
    }

const BCRYPT = /^\$2[aby]\$(?<cost>\d{2})\$[./A-Za-z0-9]{53}$/
const PBKDF2 =
  /^\$pbkdf2-(?<digest>sha256|sha512)\$i=(?<iterations>[1-9]\d{0,9}),l=(?<length>\d{1,3})\$(?<salt>[A-Za-z0-9+/]+)\$(?<hash>[A-Za-z0-9+/]+)$/

/** The highest cost takes about 0.3 s of one core. Each first authentication with an imported secret takes this, and each failed one. */
const BCRYPT_COST = Object.freeze({ least: 4, most: 12 })
const PBKDF2_ITERATIONS = Object.freeze({ least: 1_000, most: 600_000 })
const HASH_BYTES = Object.freeze({ least: 16, most: 64 })
const SALT_BYTES = Object.freeze({ least: 8, most: 64 })

/** bcrypt ignores further bytes, so another secret with the same beginning would match. */
const BCRYPT_BYTES = 72

const THREAD = neighbour(import.meta.url, 'bcrypt-thread')
const derive = promisify(pbkdf2)

/** A hash that matches no secret, for a secret that another server hashed. */
export function drawUnmatchedHash(): SecretHash {
  return randomBytes(32) as SecretHash
}

/** The reason why a hash cannot be imported, in one line. `null`: it can. */
export function whyNotImported(text: string): string | null {
  const parsed = parse(text)
  if (parsed === null) {
    return 'must be bcrypt ($2a$, $2b$, $2y$), or $pbkdf2-sha256$ or $pbkdf2-sha512$ with i=<iterations>,l=<length>'
  }
  switch (parsed.kind) {
    case 'bcrypt':
      return isWithin(parsed.cost, BCRYPT_COST)
        ? null
        : `has a bcrypt cost of ${parsed.cost}: it must be ${BCRYPT_COST.least} to ${BCRYPT_COST.most}`
    case 'pbkdf2': {
      const { least, most } = PBKDF2_ITERATIONS
      if (!isWithin(parsed.iterations, PBKDF2_ITERATIONS)) return `must have ${least} to ${most} PBKDF2 iterations`
      if (!isWithin(parsed.salt.length, SALT_BYTES)) return 'must have a salt of 8 to 64 bytes'
      return isWithin(parsed.hash.length, HASH_BYTES) ? null : 'must have a hash of 16 to 64 bytes'
    }
    default:
      return parsed satisfies never
  }
}

/** Whether a secret matches a hash of another server. Takes up to about 0.3 s of a core, on another thread. */
export async function importedHashMatches(secret: string, text: string): Promise<boolean> {
  const parsed = parse(text)
  if (parsed === null || whyNotImported(text) !== null) return false
  switch (parsed.kind) {
    case 'bcrypt':
      return await bcryptMatches(secret, parsed.hash)
    case 'pbkdf2': {
      const derived = await derive(secret, parsed.salt, parsed.iterations, parsed.hash.length, parsed.digest)
      return timingSafeEqual(derived, parsed.hash)
    }
    default:
      return parsed satisfies never
  }
}

const NEW_SALT_BYTES = 16
const NEW_HASH_BYTES = 32

/** Hashes a secret that another server stores in plaintext, for its import. */
export async function hashForImport(secret: string): Promise<string> {
  const iterations = PBKDF2_ITERATIONS.most
  const salt = randomBytes(NEW_SALT_BYTES)
  const hash = await derive(secret, salt, iterations, NEW_HASH_BYTES, 'sha256')
  return `$pbkdf2-sha256$i=${iterations},l=${NEW_HASH_BYTES}$${unpadded(salt)}$${unpadded(hash)}`
}

function parse(text: string): ImportedHash | null {
  const { cost } = BCRYPT.exec(text)?.groups ?? {}
  if (cost !== undefined) return { kind: 'bcrypt', hash: text, cost: Number(cost) }
  const { digest, iterations, length, salt = '', hash = '' } = PBKDF2.exec(text)?.groups ?? {}
  if (digest !== 'sha256' && digest !== 'sha512') return null
  const parsed = { salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
  // Surplus bits in base64, or another length, cannot come from a real hash.
  if (unpadded(parsed.salt) !== salt || unpadded(parsed.hash) !== hash || parsed.hash.length !== Number(length)) {
    return null
  }
  return { kind: 'pbkdf2', digest, iterations: Number(iterations), ...parsed }
}

function isWithin(value: number, { least, most }: { readonly least: number; readonly most: number }): boolean {
  return value >= least && value <= most
}

function unpadded(bytes: Buffer): string {
  const [text = ''] = bytes.toString('base64').split('=', 1)
  return text
}

/** Starts a thread for each call. An imported secret is verified this way only once, and few are at a time. */
function bcryptMatches(secret: string, hash: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  if (Buffer.byteLength(secret) > BCRYPT_BYTES || secret.includes('\0')) {
    resolve(false)
    return promise
  }
  const worker = new Worker(THREAD, { workerData: { secret, hash }, execArgv: [] })
  worker.once('message', resolve)
  worker.once('error', reject)
  worker.once('exit', () => reject(new Error('the thread that verifies bcrypt ended without an answer')))
  return promise
}
