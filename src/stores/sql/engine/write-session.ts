import type { Kysely } from 'kysely'
import type { AuditEvent } from '../../../domain/audit-event.ts'
import type { AuditSeal } from '../../contract/audit-log.ts'
import type { TransactionStores } from '../../contract/backend.ts'
import { AuditChain } from '../audit/chain.ts'
import type { Dialect, Writer } from '../core/dialect.ts'
import { kyselyOver } from '../core/kysely.ts'
import type { Database } from '../core/schema.ts'
import { transactionStores } from '../tables/stores.ts'

/** A writer, with what belongs to it alone. */
export class WriteSession {
  readonly writer: Writer
  /** Kysely inside the writer's transaction. */
  readonly db: Kysely<Database>
  /** The stores inside it; made once, so that they keep what they compile. */
  readonly stores: TransactionStores
  readonly chain: AuditChain
  /** What the running transaction wants audited: its last rows. */
  events: AuditEvent[] = []
  /** The first failure of a statement in the running transaction: it must not commit. */
  failure: unknown = null

  constructor(
    dialect: Pick<Dialect, 'kysely'>,
    writer: Writer,
    { seal, newId }: { readonly seal: AuditSeal; readonly newId: () => string },
  ) {
    this.writer = writer
    this.db = kyselyOver<Database>(dialect.kysely, {
      execute: async (statement) => {
        try {
          return await writer.execute(statement)
        } catch (error) {
          this.failure ??= error
          throw error
        }
      },
    })
    this.stores = transactionStores(this.db, { collect: (event) => void this.events.push(event) })
    this.chain = new AuditChain(this.db, seal, newId)
  }
}
