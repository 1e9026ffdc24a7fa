import { type CompiledQuery, type Kysely, type Selectable, sql } from 'kysely'
import { type EpochMs, epochMs, keyId, milliseconds, type SigningKeyId, signingKeyId } from '../../../domain/ids.ts'
import {
  type SealedPrivateKey,
  SIGNING_ALGORITHMS,
  SIGNING_KEY_STATES,
  type SigningAlgorithm,
  type SigningKey,
} from '../../../domain/signing-key.ts'
import type { Span } from '../../../trace.ts'
import type { SigningKeyReads } from '../../contract/signing-keys.ts'
import { bytes, integer, moment, momentOrNull, oneOf, stringMap, textOf } from '../core/rows.ts'
import { KeyedQuery } from '../core/sized-statements.ts'
import type { Database } from '../schema.ts'
import type { SigningKeyTable } from '../signing-key-schema.ts'

type Row = Selectable<SigningKeyTable>

/** Looks keys up by their ids. */
export function findSigningKeys(
  db: Kysely<Database>,
): (ids: readonly SigningKeyId[]) => Promise<ReadonlyMap<string, SigningKey>> {
  const query = new KeyedQuery<SigningKeyId, Row>((ids) => keys(db).where('key_id', 'in', ids).compile())
  return async (ids) => new Map((await found(db, query.for(ids))).map((key) => [key.keyId, key]))
}

/** Looks up the keys that sign, by algorithm. */
export function findActiveSigningKeys(
  db: Kysely<Database>,
): (algorithms: readonly SigningAlgorithm[]) => Promise<ReadonlyMap<string, SigningKey>> {
  const query = new KeyedQuery<SigningAlgorithm, Row>((algorithms) =>
    keys(db).where('active_algorithm', 'in', algorithms).compile(),
  )
  return async (algorithms) => new Map((await found(db, query.for(algorithms))).map((key) => [key.algorithm, key]))
}

export function signingKeyReads(
  db: Kysely<Database>,
  find: (id: SigningKeyId, span?: Span) => Promise<SigningKey | null>,
  findActive: (algorithm: SigningAlgorithm, span?: Span) => Promise<SigningKey | null>,
  findPublished: (now: EpochMs) => Promise<readonly SigningKey[]>,
): SigningKeyReads {
  return {
    find: ({ span }, id) => find(id, span),
    findActive: ({ span }, algorithm) => findActive(algorithm, span),
    published: async ({ now }) => (await findPublished(now)).filter((key) => isPublished(key, now)),
    page: async (_ctx, { state }, { after, limit }) => {
      const rows = await keys(db)
        .$if(state !== null, (query) => query.where('state', '=', state ?? ''))
        .$if(after !== null, (query) => query.where('key_id', '<', after ?? ''))
        .orderBy('key_id', 'desc')
        .limit(sql.lit(limit))
        .execute()
      return rows.map(signingKeyOf)
    },
    keyIds: async () => {
      const rows = await db
        .selectFrom('oauth_signing_keys')
        .select('encryption_key_id')
        .where('encryption_key_id', 'is not', null)
        .distinct()
        .orderBy('encryption_key_id')
        .execute()
      return rows.map((row) => keyId(textOf(row.encryption_key_id, 'encryption_key_id')))
    },
  }
}

/** The name under which look-ups of the published keys share an answer. */
export const PUBLISHED = 'published'
/** By more than this the clocks of those who share a look-up never differ. */
const MARGIN_MS = 60_000

/** Looks up the keys that are published around the first of these moments, and some that no longer are. */
export function findPublishedKeys(
  db: Kysely<Database>,
): (moments: readonly EpochMs[]) => Promise<ReadonlyMap<string, readonly SigningKey[]>> {
  return async ([from = epochMs(0)]) => {
    const rows = await keys(db)
      .where((or) =>
        or.or([
          or('state', 'in', ['prepared', 'active']),
          or.and([or('state', '=', 'retired'), or('tokens_until', '>', epochMs(from - MARGIN_MS))]),
        ]),
      )
      .orderBy('key_id')
      .execute()
    return new Map([[PUBLISHED, rows.map(signingKeyOf)]])
  }
}

/** Each who asks is told as of its own moment. */
function isPublished({ tokensUntil }: SigningKey, now: EpochMs): boolean {
  return tokensUntil === null || now < tokensUntil
}

function keys(db: Kysely<Database>) {
  return db.selectFrom('oauth_signing_keys').selectAll()
}

async function found(db: Kysely<Database>, query: CompiledQuery<Row>): Promise<readonly SigningKey[]> {
  return (await db.executeQuery(query)).rows.map(signingKeyOf)
}

function signingKeyOf(row: Row): SigningKey {
  return Object.freeze({
    keyId: signingKeyId(row.key_id),
    algorithm: oneOf(row.algorithm, SIGNING_ALGORITHMS, 'algorithm'),
    publicJwk: stringMap(row.public_jwk, 'public_jwk'),
    privateKey: privateKeyOf(row),
    state: oneOf(row.state, SIGNING_KEY_STATES, 'state'),
    longestLifetime: milliseconds(integer(row.longest_lifetime, 'longest_lifetime')),
    preparedAt: moment(row.prepared_at, 'prepared_at'),
    preparedBy: row.created_by,
    activatedAt: momentOrNull(row.activated_at, 'activated_at'),
    retiredAt: momentOrNull(row.retired_at, 'retired_at'),
    revokedAt: momentOrNull(row.revoked_at, 'revoked_at'),
    tokensUntil: momentOrNull(row.tokens_until, 'tokens_until'),
    rayId: row.ray_id,
  })
}

function privateKeyOf({ private_key, encryption_key_id }: Row): SealedPrivateKey | null {
  if (private_key === null) return null
  return Object.freeze({
    keyId: keyId(textOf(encryption_key_id, 'encryption_key_id')),
    sealed: bytes(private_key, 'private_key'),
  })
}
