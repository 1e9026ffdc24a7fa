import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { EpochMs } from '../../../domain/ids.ts'
import { REVOCATION_KEPT, type RevocationHead } from '../../../domain/revocation.ts'
import { padded } from '../core/prepared-statement.ts'
import { integer, momentOrNull } from '../core/rows.ts'
import type { Database, StoredInt } from '../core/schema.ts'

/** Revocations that can be forgotten: their time has passed before the given moment, and long enough ago by the database's clock. */
export function forgottenBefore(db: Kysely<Database>, now: RawBuilder<StoredInt>, before: EpochMs, limit: number) {
  return db
    .selectFrom('oauth_revocations')
    .select(['writer', 'sequence', 'forget_time'])
    .where('forget_time', '<', before)
    .where('forget_time', '<', sql<number>`${now} - ${sql.lit(REVOCATION_KEPT)}`)
    .orderBy('forget_time')
    .limit(sql.lit(limit))
}

/** The number of these revocations, counted up to `most`, and when the oldest could be forgotten. */
export async function forgottenBacklog(
  db: Kysely<Database>,
  now: RawBuilder<StoredInt>,
  before: EpochMs,
  most: number,
): Promise<{ readonly count: number; readonly oldest: EpochMs | null }> {
  const row = await db
    .selectFrom(forgottenBefore(db, now, before, most).as('forgotten'))
    .select((rows) => [
      rows.fn.countAll<number>().as('many'),
      rows.fn.min<number | null>('forgotten.forget_time').as('oldest'),
    ])
    .executeTakeFirstOrThrow()
  return Object.freeze({ count: integer(row.many, 'count'), oldest: momentOrNull(row.oldest, 'oldest') })
}

/** Deletes revocations by their places. Returns the number. */
export async function deleteRevocations(
  db: Kysely<Database>,
  places: readonly { readonly writer: StoredInt; readonly sequence: StoredInt }[],
): Promise<number> {
  const byWriter = new Map<number, number[]>()
  for (const place of places) {
    const writer = integer(place.writer, 'writer')
    const sequences = byWriter.get(writer) ?? []
    sequences.push(integer(place.sequence, 'sequence'))
    byWriter.set(writer, sequences)
  }
  let deleted = 0n
  for (const [writer, sequences] of byWriter) {
    const result = await db
      .deleteFrom('oauth_revocations')
      .where('writer', '=', writer)
      .where('sequence', 'in', padded(sequences))
      .executeTakeFirst()
    deleted += result.numDeletedRows
  }
  return Number(deleted)
}

/** The heads of writers without revocations, at most `limit`. */
export async function bareHeads(db: Kysely<Database>, limit: number): Promise<readonly RevocationHead[]> {
  const rows = await db
    .selectFrom('oauth_revocation_heads')
    .select(['writer', 'sequence'])
    .where((row) =>
      row.not(
        row.exists(
          row
            .selectFrom('oauth_revocations')
            .select('oauth_revocations.writer')
            .whereRef('oauth_revocations.writer', '=', 'oauth_revocation_heads.writer'),
        ),
      ),
    )
    .orderBy('writer')
    .limit(sql.lit(limit))
    .execute()
  return rows.map((row) => ({ writer: integer(row.writer, 'writer'), sequence: integer(row.sequence, 'sequence') }))
}

/** Deletes heads that are unchanged since they were found. A writer that has added a revocation keeps its head. */
export async function deleteHeads(db: Kysely<Database>, heads: readonly RevocationHead[]): Promise<void> {
  for (const { writer, sequence } of heads) {
    await db
      .deleteFrom('oauth_revocation_heads')
      .where('writer', '=', writer)
      .where('sequence', '=', sequence)
      .execute()
  }
}
