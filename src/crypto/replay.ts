import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import type { RawToken, TokenId } from '../domain/ids.ts'
import { randomBytes } from './random.ts'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const PURPOSE = 'qscope refresh replay'

/**
 * Encrypts the answer to a refresh under the value of the token that was spent:
 * only who still has that value can read it again; the database alone cannot.
 * Bound to the spent token's row.
 */
export function sealReplay(spent: RawToken, spentId: TokenId, answer: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, keyFor(spent), nonce).setAAD(Buffer.from(spentId))
  const sealed = Buffer.concat([cipher.update(answer, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()])
}

/** The answer, or throws if it was not sealed under this value for this row. */
export function openReplay(spent: RawToken, spentId: TokenId, sealed: Buffer): string {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const body = sealed.subarray(NONCE_BYTES, -TAG_BYTES)
  const decipher = createDecipheriv(ALGORITHM, keyFor(spent), nonce).setAAD(Buffer.from(spentId))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
}

function keyFor(spent: RawToken): Buffer {
  return Buffer.from(hkdfSync('sha256', spent, '', PURPOSE, KEY_BYTES))
}
