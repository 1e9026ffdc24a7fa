import { hkdfSync } from 'node:crypto'
import type { RawToken, TokenId } from '../domain/ids.ts'
import { seal, unseal } from './aead.ts'

const KEY_BYTES = 32
const PURPOSE = 'qscope refresh replay'

/**
 * Encrypts the answer to a refresh under the value of the token that was spent:
 * only who still has that value can read it again; the database alone cannot.
 * Bound to the spent token's row.
 */
export function sealReplay(spent: RawToken, spentId: TokenId, answer: string): Buffer {
  return seal(keyFor(spent), spentId, Buffer.from(answer))
}

/** The answer, or throws if it was not sealed under this value for this row. */
export function openReplay(spent: RawToken, spentId: TokenId, sealed: Buffer): string {
  return unseal(keyFor(spent), spentId, sealed).toString('utf8')
}

function keyFor(spent: RawToken): Buffer {
  return Buffer.from(hkdfSync('sha256', spent, '', PURPOSE, KEY_BYTES))
}
