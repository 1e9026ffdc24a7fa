import { type Insertable, type Kysely, type Selectable, sql } from 'kysely'
import {
  type EpochMs,
  epochMs,
  type KeyId,
  keyId,
  type Milliseconds,
  milliseconds,
  type SigningKeyId,
  signingKeyId,
} from '../../../domain/ids.ts'
import {
  type SealedPrivateKey,
  SIGNING_ALGORITHMS,
  SIGNING_KEY_STATES,
  type SigningAlgorithm,
  type SigningKey,
} from '../../../domain/signing-key.ts'
import type { Change, PageRequest, StoreContext } from '../../contract/context.ts'
import type { SigningKeyFilter, SigningKeyReads, SigningKeyStore } from '../../contract/signing-keys.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { bytes, integer, moment, momentOrNull, oneOf, stringMap, textOf } from '../core/rows.ts'
import type { Database, SigningKeyTable } from '../core/schema.ts'
import { holdLease } from './held-lease.ts'
import type { LastRowsCollector } from './last-rows.ts'
import { type Finder, loadBy, type ReadSource } from './read-source.ts'

type Row = Selectable<SigningKeyTable>

const PUBLISHED = 'published'
/** The clocks of callers that share a look-up differ by less than this. */
const MARGIN_MS = 60_000

export class SqlSigningKeyReads implements SigningKeyReads {
  readonly #db: Kysely<Database>
  readonly #byId: Finder<SigningKeyId, SigningKey | null>
  readonly #active: Finder<SigningAlgorithm, SigningKey | null>
  readonly #published: Finder<EpochMs, readonly SigningKey[]>

  constructor(source: ReadSource) {
    const { db } = source
    this.#db = db
    this.#byId = source.finder({
      name: 'signing_keys',
      load: loadBy(
        db,
        (ids) => keys(db).where('key_id', 'in', ids).compile(),
        (rows) => new Map(rows.map(signingKeyOf).map((key) => [key.keyId, key])),
      ),
      nameOf: String,
      absent: null,
    })
    this.#active = source.finder({
      name: 'active_signing_keys',
      load: loadBy(
        db,
        (algorithms) => keys(db).where('active_algorithm', 'in', algorithms).compile(),
        (rows) => new Map(rows.map(signingKeyOf).map((key) => [key.algorithm, key])),
      ),
      nameOf: String,
      absent: null,
    })
    // Unauthenticated callers can request these, so concurrent callers share one look-up.
    this.#published = source.finder({
      load: (moments) => findPublished(db, moments),
      nameOf: () => PUBLISHED,
      absent: [],
    })
  }

  find({ span }: StoreContext, id: SigningKeyId): Promise<SigningKey | null> {
    return this.#byId.find(id, span)
  }

  findActive({ span }: StoreContext, algorithm: SigningAlgorithm): Promise<SigningKey | null> {
    return this.#active.find(algorithm, span)
  }

  async published({ now }: StoreContext): Promise<readonly SigningKey[]> {
    return (await this.#published.find(now)).filter((key) => isPublished(key, now))
  }

  async page(
    _ctx: StoreContext,
    { state }: SigningKeyFilter,
    { after, limit }: PageRequest<SigningKeyId>,
  ): Promise<readonly SigningKey[]> {
    const rows = await keys(this.#db)
      .$if(state !== null, (query) => query.where('state', '=', state ?? ''))
      .$if(after !== null, (query) => query.where('key_id', '<', after ?? ''))
      .orderBy('key_id', 'desc')
      .limit(sql.lit(limit))
      .execute()
    return rows.map(signingKeyOf)
  }

  async keyIds(): Promise<readonly KeyId[]> {
    const rows = await this.#db
      .selectFrom('oauth_signing_keys')
      .select('encryption_key_id')
      .where('encryption_key_id', 'is not', null)
      .distinct()
      .orderBy('encryption_key_id')
      .execute()
    return rows.map((row) => keyId(textOf(row.encryption_key_id, 'encryption_key_id')))
  }
}

/** The lease whose row is locked while a key is added. */
const LOCK = 'signing-keys'

/** The columns that are cleared when a key no longer signs. */
const SIGNS_NO_MORE = { private_key: null, encryption_key_id: null, active_algorithm: null } as const

export class SqlSigningKeyStore extends SqlSigningKeyReads implements SigningKeyStore {
  readonly #db: Kysely<Database>
  readonly #last: LastRowsCollector

  constructor(source: ReadSource, last: LastRowsCollector) {
    super(source)
    this.#db = source.db
    this.#last = last
  }

  lock(change: Change): Promise<boolean> {
    return holdLease(this.#db, LOCK, change)
  }

  async insert(key: SigningKey): Promise<boolean> {
    return await falseIfTaken(async () => {
      await this.#db.insertInto('oauth_signing_keys').values(signingKeyRow(key)).execute()
    })
  }

  async activate(id: SigningKeyId, { at, by }: Change): Promise<boolean> {
    let activated = false
    const alone = await falseIfTaken(async () => {
      const result = await this.#db
        .updateTable('oauth_signing_keys')
        .set((row) => ({
          state: 'active',
          active_algorithm: row.ref('algorithm'),
          activated_at: at,
          updated_at: at,
          updated_by: by,
        }))
        .where('key_id', '=', id)
        .where('state', '=', 'prepared')
        .executeTakeFirst()
      activated = result.numUpdatedRows === 1n
    })
    return alone && activated
  }

  async coverLifetime(id: SigningKeyId, lifetime: Milliseconds, { at, by }: Change): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_signing_keys')
      .set({ longest_lifetime: lifetime, updated_at: at, updated_by: by })
      .where('key_id', '=', id)
      .where('state', '=', 'active')
      .where('longest_lifetime', '<', lifetime)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  async retire(
    { keyId, state, longestLifetime }: SigningKey,
    tokensUntil: EpochMs,
    { at, by }: Change,
  ): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_signing_keys')
      .set({
        ...SIGNS_NO_MORE,
        state: 'retired',
        retired_at: at,
        tokens_until: tokensUntil,
        updated_at: at,
        updated_by: by,
      })
      .where('key_id', '=', keyId)
      .where('state', '=', state)
      .where('state', 'in', ['prepared', 'active'])
      .where('longest_lifetime', '=', longestLifetime)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  async revoke(id: SigningKeyId, reason: string, { at, by }: Change): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_signing_keys')
      .set({
        ...SIGNS_NO_MORE,
        state: 'revoked',
        revoked_at: at,
        revocation_reason: reason,
        updated_at: at,
        updated_by: by,
      })
      .where('key_id', '=', id)
      .where('state', '<>', 'revoked')
      .executeTakeFirst()
    if (result.numUpdatedRows !== 1n) return false
    this.#last.ended.push({ fact: { kind: 'signing_key', keyId: id }, expiresAt: null })
    return true
  }
}

/** Finds the keys that are published around the first of these moments, including some that no longer are. */
async function findPublished(
  db: Kysely<Database>,
  [from = epochMs(0)]: readonly EpochMs[],
): Promise<ReadonlyMap<string, readonly SigningKey[]>> {
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

/** Evaluated for each caller's own moment. */
function isPublished({ tokensUntil }: SigningKey, now: EpochMs): boolean {
  return tokensUntil === null || now < tokensUntil
}

function keys(db: Kysely<Database>) {
  return db.selectFrom('oauth_signing_keys').selectAll()
}

function signingKeyRow(key: SigningKey): Insertable<SigningKeyTable> {
  return {
    key_id: key.keyId,
    algorithm: key.algorithm,
    public_jwk: JSON.stringify(key.publicJwk),
    private_key: key.privateKey?.sealed ?? null,
    encryption_key_id: key.privateKey?.keyId ?? null,
    state: key.state,
    active_algorithm: key.state === 'active' ? key.algorithm : null,
    longest_lifetime: key.longestLifetime,
    prepared_at: key.preparedAt,
    activated_at: key.activatedAt,
    retired_at: key.retiredAt,
    revoked_at: key.revokedAt,
    revocation_reason: null,
    tokens_until: key.tokensUntil,
    ray_id: key.rayId,
    created_at: key.preparedAt,
    created_by: key.preparedBy,
    updated_at: null,
    updated_by: null,
  }
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
