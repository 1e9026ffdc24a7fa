import { type Kysely, type Selectable, sql } from 'kysely'
import { userId } from '../../../domain/ids.ts'
import type { User } from '../../../domain/user.ts'
import type { UserReads, UserStore } from '../../contract/users.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { asFlag, flag, integer, moment, textOf } from '../core/rows.ts'
import type { Database, UserTable } from '../schema.ts'

const USER_COLUMNS = [
  'user_id',
  'external_id',
  'active',
  'token_generation',
  'created_at',
  'created_by',
  'updated_at',
  'updated_by',
] as const

export function userReads(db: Kysely<Database>): UserReads {
  const present = () => db.selectFrom('oauth_users').select(USER_COLUMNS).where('deleted_at', 'is', null)
  return {
    find: async (_ctx, id) => {
      const row = await present().where('user_id', '=', id).executeTakeFirst()
      return row === undefined ? null : userOf(row)
    },
    findByExternalId: async (_ctx, externalId) => {
      const row = await present().where('external_id', '=', externalId).executeTakeFirst()
      return row === undefined ? null : userOf(row)
    },
    page: async (_ctx, filter, page) => {
      const rows = await present()
        .$if(filter.active !== null, (query) => query.where('active', '=', asFlag(filter.active ?? false)))
        .$if(page.after !== null, (query) => query.where('user_id', '<', page.after ?? ''))
        .orderBy('user_id', 'desc')
        .limit(sql.lit(page.limit))
        .execute()
      return rows.map(userOf)
    },
  }
}

export function userWrites(db: Kysely<Database>): Omit<UserStore, keyof UserReads> {
  const present = () => db.updateTable('oauth_users').where('deleted_at', 'is', null)
  return {
    insert: (user) =>
      falseIfTaken(async () => {
        await db
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
          })
          .execute()
      }),
    setActive: async (id, active, { at, by }) => {
      const result = await present()
        .set({ active: asFlag(active), updated_at: at, updated_by: by })
        .where('user_id', '=', id)
        .where('active', '=', asFlag(!active))
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
    startTokenGeneration: async (id, { at, by }) => {
      const result = await present()
        .set({ token_generation: sql<number>`token_generation + 1`, updated_at: at, updated_by: by })
        .where('user_id', '=', id)
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
    delete: async (id, { at, by }) => {
      const result = await present()
        .set({ external_id: null, active: 0, deleted_at: at, updated_at: at, updated_by: by })
        .where('user_id', '=', id)
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
  }
}

function userOf(row: Pick<Selectable<UserTable>, (typeof USER_COLUMNS)[number]>): User {
  return Object.freeze({
    userId: userId(row.user_id),
    // Only a deleted user has none.
    externalId: textOf(row.external_id, 'external_id'),
    active: flag(row.active, 'active'),
    tokenGeneration: integer(row.token_generation, 'token_generation'),
    createdAt: moment(row.created_at, 'created_at'),
    createdBy: row.created_by,
    updatedAt: moment(row.updated_at, 'updated_at'),
    updatedBy: row.updated_by,
  })
}
