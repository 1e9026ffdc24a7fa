import type { Kysely } from 'kysely'
import type { EpochMs } from '../../../domain/ids.ts'
import type { AuditFollowerReads, AuditFollowerStore, FollowerPlace } from '../../contract/audit-log.ts'
import type { StoreContext } from '../../contract/context.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { integer } from '../core/rows.ts'
import type { Database } from '../core/schema.ts'

export class SqlAuditFollowerReads implements AuditFollowerReads {
  protected readonly db: Kysely<Database>

  constructor(db: Kysely<Database>) {
    this.db = db
  }

  async place(_ctx: StoreContext, name: string): Promise<FollowerPlace | null> {
    const row = await this.db
      .selectFrom('oauth_audit_followers')
      .select(['position', 'version'])
      .where('name', '=', name)
      .executeTakeFirst()
    return row === undefined ? null : { position: row.position, version: integer(row.version, 'version') }
  }
}

export class SqlAuditFollowerStore extends SqlAuditFollowerReads implements AuditFollowerStore {
  async advance(name: string, version: number, position: string, at: EpochMs): Promise<boolean> {
    const moved = { position, version: version + 1, updated_at: at }
    if (version === 0) {
      return await falseIfTaken(async () => {
        await this.db
          .insertInto('oauth_audit_followers')
          .values({ name, ...moved, created_at: at })
          .execute()
      })
    }
    const result = await this.db
      .updateTable('oauth_audit_followers')
      .set(moved)
      .where('name', '=', name)
      .where('version', '=', version)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }
}
