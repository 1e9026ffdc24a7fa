import type { BulkConnection } from '../databases/bench-database.ts'
import { ADOPT_TOKEN, drawKnownTokens, type KnownTokens } from './known-tokens.ts'
import { insertTokens, type TokenFill } from './token-columns.ts'

const TABLE = 'oauth_access_tokens'
const ROWS_AT_ONCE = 200_000

/**
 * Fills the table in the order of its clustered key, as in real use, with random hashes. The other indexes are built
 * afterwards, each in one sort. Closes the connection.
 */
export async function fillTokens(
  connection: BulkConnection,
  fill: TokenFill,
  tell: (line: string) => void,
): Promise<KnownTokens> {
  const indexes = await connection.dropIndexes(TABLE)
  for (let from = 0; from < fill.tokens; from += ROWS_AT_ONCE) {
    const to = Math.min(fill.tokens, from + ROWS_AT_ONCE)
    await connection.run(insertTokens(connection.tokenSql, fill, from, to))
    if (to % 1_000_000 === 0) tell(`  ${to / 1_000_000} million`)
  }
  const { known, rows } = drawKnownTokens(fill)
  await connection.runAll(ADOPT_TOKEN, rows)
  for (const index of indexes) await connection.run(index)
  await connection.close()
  return known
}
