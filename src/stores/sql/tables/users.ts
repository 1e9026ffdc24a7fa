import { type Kysely, type Selectable, sql } from 'kysely'
import { type EpochMs, type UserId, userId } from '../../../domain/ids.ts'
import type { User } from '../../../domain/user.ts'
import type { Change, PageRequest, StoreContext } from '../../contract/context.ts'
import type { UserFilter, UserReads, UserStore } from '../../contract/users.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { asFlag, flag, integer, moment, textOf } from '../core/rows.ts'
import type { Database, UserTable } from '../core/schema.ts'
import type { LastRowsCollector } from './last-rows.ts'
import type { ReadSource } from './read-source.ts'

const USER_COLUMNS = [
  'user_id',
  'external_id',
  'active',
  'token_generation',
  'created_at',
  'created_by',
  'updated_at',
  'updated_by',
  'owner',
] as const

export class SqlUserReads implements UserReads {
  readonly #db: Kysely<Database>
  readonly #lists: Kysely<Database>

  constructor({ db, lists }: Pick<ReadSource, 'db' | 'lists'>) {
    this.#db = db
    this.#lists = lists
  }

  async find(_ctx: StoreContext, id: UserId): Promise<User | null> {
    const row = await presentUsers(this.#db).where('user_id', '=', id).executeTakeFirst()
    return row === undefined ? null : userOf(row)
  }

  async findByExternalId(_ctx: StoreContext, externalId: string): Promise<User | null> {
    const row = await presentUsers(this.#db).where('external_id', '=', externalId).executeTakeFirst()
    return row === undefined ? null : userOf(row)
  }

  async page(_ctx: StoreContext, filter: UserFilter, page: PageRequest<UserId>): Promise<readonly User[]> {
    const rows = await presentUsers(this.#lists)
      .$if(filter.active !== null, (query) => query.where('active', '=', asFlag(filter.active ?? false)))
      .$if(filter.owner !== null, (query) => query.where('owner', '=', filter.owner))
      .$if(page.after !== null, (query) => query.where('user_id', '<', page.after ?? ''))
      .orderBy('user_id', 'desc')
      .limit(sql.lit(page.limit))
      .execute()
    return rows.map(userOf)
  }
}

export class SqlUserStore extends SqlUserReads implements UserStore {
  readonly #db: Kysely<Database>
  readonly #last: LastRowsCollector

  constructor(source: Pick<ReadSource, 'db' | 'lists'>, last: LastRowsCollector) {
    super(source)
    this.#db = source.db
    this.#last = last
  }

  async insert(user: User): Promise<boolean> {
    return await falseIfTaken(async () => {
      await this.#db
        .insertInto('oauth_users')
        .values({
          user_id: user.userId,
          external_id: user.externalId,
          active: asFlag(user.active),
          token_generation: user.tokenGeneration,
          deleted_at: null,
          created_at: user.createdAt,
          created_by: user.createdBy,
          updated_at: user.updatedAt,
          updated_by: user.updatedBy,
          owner: user.owner,
        })
        .execute()
    })
  }

  async setActive(id: UserId, active: boolean, change: Change, unchangedSince?: EpochMs): Promise<boolean> {
    const result = await this.#present(unchangedSince)
      .set({ active: asFlag(active), ...changedBy(change) })
      .where('user_id', '=', id)
      .where('active', '=', asFlag(!active))
      .executeTakeFirst()
    if (result.numUpdatedRows !== 1n) return false
    if (!active) await this.#tellGeneration(id, 0)
    return true
  }

  async setOwner(id: UserId, owner: string | null, change: Change, unchangedSince: EpochMs): Promise<boolean> {
    const result = await this.#present(unchangedSince)
      .set({ owner, ...changedBy(change) })
      .where('user_id', '=', id)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  async startTokenGeneration(id: UserId, change: Change): Promise<boolean> {
    const result = await this.#present()
      .set({ token_generation: sql<number>`token_generation + 1`, ...changedBy(change) })
      .where('user_id', '=', id)
      .executeTakeFirst()
    if (result.numUpdatedRows !== 1n) return false
    await this.#tellGeneration(id, -1)
    return true
  }

  async delete(id: UserId, change: Change, unchangedSince?: EpochMs): Promise<boolean> {
    const result = await this.#present(unchangedSince)
      .set({ external_id: null, owner: null, active: 0, deleted_at: change.at, ...changedBy(change) })
      .where('user_id', '=', id)
      .executeTakeFirst()
    if (result.numUpdatedRows !== 1n) return false
    await this.#tellGeneration(id, 0)
    return true
  }

  /** Publishes that the user's generation, or the previous one, has ended. Its row was changed and is locked. */
  async #tellGeneration(id: UserId, offset: 0 | -1): Promise<void> {
    const { token_generation } = await this.#db
      .selectFrom('oauth_users')
      .select('token_generation')
      .where('user_id', '=', id)
      .executeTakeFirstOrThrow()
    const generation = integer(token_generation, 'token_generation') + offset
    this.#last.ended.push({ fact: { kind: 'user', userId: id, generation }, expiresAt: null })
  }

  #present(unchangedSince?: EpochMs) {
    return this.#db
      .updateTable('oauth_users')
      .where('deleted_at', 'is', null)
      .$if(unchangedSince !== undefined, (query) => query.where('updated_at', '=', unchangedSince ?? 0))
  }
}

/** The time is later than that of the previous change. See `momentOfChange`. */
function changedBy({ at, by }: Change) {
  return { updated_at: sql<number>`case when updated_at < ${at} then ${at} else updated_at + 1 end`, updated_by: by }
}

function presentUsers(db: Kysely<Database>) {
  return db.selectFrom('oauth_users').select(USER_COLUMNS).where('deleted_at', 'is', null)
}

function userOf(row: Pick<Selectable<UserTable>, (typeof USER_COLUMNS)[number]>): User {
  return Object.freeze({
    userId: userId(row.user_id),
    // Only a deleted user has no external id.
    externalId: textOf(row.external_id, 'external_id'),
    active: flag(row.active, 'active'),
    tokenGeneration: integer(row.token_generation, 'token_generation'),
    createdAt: moment(row.created_at, 'created_at'),
    createdBy: row.created_by,
    updatedAt: moment(row.updated_at, 'updated_at'),
    updatedBy: row.updated_by,
    owner: row.owner,
  })
}
