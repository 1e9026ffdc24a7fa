import { type Kysely, sql } from 'kysely'
import { type EpochMs, type GrantId, grantId } from '../../../domain/ids.ts'
import type { Database } from '../core/schema.ts'
import { padded } from '../core/sized-statements.ts'

/**
 * Deletes at most `limit` rows of grants that ended before a moment: what was
 * issued on them first, and a grant itself once nothing points to it. A family
 * of many spent tokens takes several calls.
 */
export async function deleteGrants(
  db: Kysely<Database>,
  candidates: readonly GrantId[],
  before: EpochMs,
  limit: number,
): Promise<number> {
  const grants = await lockEnded(db, candidates, before)
  if (grants.length === 0) return 0
  const locked = padded(grants)
  let room = limit

  const codes = await db
    .selectFrom('oauth_authorization_codes')
    .select('code_id')
    .where('grant_id', 'in', locked)
    .limit(sql.lit(room))
    .execute()
  if (codes.length > 0) {
    const ids = padded(codes.map((row) => row.code_id))
    await db.deleteFrom('oauth_authorization_codes').where('code_id', 'in', ids).execute()
    room -= codes.length
  }
  const refreshTokens = await db
    .selectFrom('oauth_refresh_tokens')
    .select('token_id')
    .where('grant_id', 'in', locked)
    .limit(sql.lit(room))
    .execute()
  if (refreshTokens.length > 0) {
    const ids = padded(refreshTokens.map((row) => row.token_id))
    await db.deleteFrom('oauth_refresh_tokens').where('token_id', 'in', ids).execute()
    room -= refreshTokens.length
  }
  const accessTokens = await db
    .selectFrom('oauth_access_tokens')
    .select('token_id')
    .where('grant_id', 'in', locked)
    .where('expires_at', '<', before)
    .limit(sql.lit(room))
    .execute()
  if (accessTokens.length > 0) {
    const ids = padded(accessTokens.map((row) => row.token_id))
    await db.deleteFrom('oauth_access_tokens').where('token_id', 'in', ids).execute()
    room -= accessTokens.length
  }
  // With room left, all of it was found.
  const bare = grants.slice(0, room)
  if (bare.length > 0) await db.deleteFrom('oauth_grants').where('grant_id', 'in', padded(bare)).execute()
  return limit - room + bare.length
}

/** Takes the rows of those that no call has given longer life since they were looked for. */
async function lockEnded(
  db: Kysely<Database>,
  candidates: readonly GrantId[],
  before: EpochMs,
): Promise<readonly GrantId[]> {
  if (candidates.length === 0) return []
  const ids = padded(candidates)
  await db
    .updateTable('oauth_grants')
    .set({ lock_version: sql<number>`lock_version + 1` })
    .where('grant_id', 'in', ids)
    .where('tokens_until', '<', before)
    .execute()
  const rows = await db
    .selectFrom('oauth_grants')
    .select('grant_id')
    .where('grant_id', 'in', ids)
    .where('tokens_until', '<', before)
    .execute()
  return rows.map((row) => grantId(row.grant_id))
}
