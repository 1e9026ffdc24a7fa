import { drawToken, hashToken } from '../../src/crypto/token.ts'
import type { SqlValue } from '../databases/bench-database.ts'
import { type TokenFill, tokenIdOf } from './token-columns.ts'

/** Enough to access pages all over the tables. */
const MOST_KNOWN = 20_000
/** One in this many known tokens is revoked. */
const REVOKED_EVERY = 10

/** Tokens of the database whose values the load knows. */
export interface KnownTokens {
  readonly active: readonly string[]
  readonly revoked: readonly string[]
}

/** Turns generated rows into known tokens. */
export const ADOPT_TOKEN =
  'update oauth_access_tokens set token_hash = ?, revoked_at = ?, revocation_reason = ? where token_id = ?'

/** Generates known tokens, spread evenly over all rows, with the values of `ADOPT_TOKEN`. */
export function drawKnownTokens(fill: TokenFill): {
  readonly known: KnownTokens
  readonly rows: readonly (readonly SqlValue[])[]
} {
  const count = Math.min(MOST_KNOWN, fill.tokens)
  const active: string[] = []
  const revoked: string[] = []
  const rows: SqlValue[][] = []
  for (let n = 0; n < count; n += 1) {
    const token = drawToken('access')
    const isRevoked = n % REVOKED_EVERY === 0
    ;(isRevoked ? revoked : active).push(token)
    const tokenId = tokenIdOf(fill, Math.floor((n * fill.tokens) / count))
    rows.push([hashToken(token), isRevoked ? fill.until : null, isRevoked ? 'benchmark' : null, tokenId])
  }
  return { known: { active, revoked }, rows }
}
