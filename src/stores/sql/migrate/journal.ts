import type { Kysely, Updateable } from 'kysely'
import type { AuditProtection, UnderWay } from '../../contract/migrations.ts'
import type { MigrationSession } from '../core/dialect.ts'
import type { Database, SchemaTable } from '../core/schema.ts'
import type { MigrationStep } from './steps/migration-step.ts'

type Direction = UnderWay['direction']

const ID = 1

/**
 * Notes how far a migration has come. Where schema changes commit one by one,
 * the next migrator finds what was interrupted, and goes on there.
 */
export class Journal {
  readonly #db: Kysely<Database>
  readonly #session: Pick<MigrationSession, 'transaction'>

  constructor(db: Kysely<Database>, session: Pick<MigrationSession, 'transaction'>) {
    this.#db = db
    this.#session = session
  }

  /** The row that everything else is written in. */
  async open(): Promise<void> {
    const row = await this.#db.selectFrom('qscope_schema').select('id').where('id', '=', ID).executeTakeFirst()
    if (row === undefined) {
      await this.#db.insertInto('qscope_schema').values({ id: ID, updated_at: Date.now() }).execute()
    }
  }

  /** From here on those servers do not serve that cannot work on what is coming. */
  async begin({ name }: MigrationStep, direction: Direction, serversFrom: string | null): Promise<void> {
    const running = { running_migration: name, running_direction: direction, running_statement: 0, running_tried: 0 }
    await this.#session.transaction(async () => {
      if (direction === 'down') await this.#db.deleteFrom('qscope_migrations').where('name', '=', name).execute()
      await this.#write({ ...running, servers_from: serversFrom })
    })
  }

  /** So many are run; the next one is about to be. */
  async attempt(statement: number): Promise<void> {
    await this.#write({ running_statement: statement, running_tried: 1 })
  }

  /** It was refused, so it was not run. */
  async refused(): Promise<void> {
    await this.#write({ running_tried: 0 })
  }

  async end({ name, appendOnly }: MigrationStep, direction: Direction, serversFrom: string | null): Promise<void> {
    await this.#session.transaction(async () => {
      if (direction === 'up') {
        await this.#db.insertInto('qscope_migrations').values({ name, applied_at: Date.now() }).execute()
      }
      // Triggers are missing now, or gone with their table; grants are given as they were.
      if (appendOnly !== undefined) await this.#forgetTriggers()
      await this.#write({
        servers_from: serversFrom,
        running_migration: null,
        running_direction: null,
        running_statement: null,
        running_tried: null,
      })
    })
  }

  async protectAudit(protection: AuditProtection): Promise<void> {
    await this.#write({ audit_protection: protection })
  }

  async #forgetTriggers(): Promise<void> {
    await this.#db
      .updateTable('qscope_schema')
      .set({ audit_protection: null })
      .where('audit_protection', '=', 'triggers')
      .execute()
  }

  async #write(values: Updateable<SchemaTable>): Promise<void> {
    await this.#db
      .updateTable('qscope_schema')
      .set({ ...values, updated_at: Date.now() })
      .where('id', '=', ID)
      .execute()
  }
}
