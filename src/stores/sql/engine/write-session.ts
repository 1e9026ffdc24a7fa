import type { Kysely } from 'kysely'
import type { AuditSeal } from '../../contract/audit-log.ts'
import type { TransactionStores } from '../../contract/backend.ts'
import type { RevocationTelling } from '../../contract/revocations.ts'
import { AuditChain, type SealedEvents } from '../audit/chain.ts'
import { DatabaseError } from '../core/database-error.ts'
import type { Dialect, Writer } from '../core/dialect.ts'
import { kyselyOver } from '../core/kysely.ts'
import type { Database } from '../core/schema.ts'
import { RevocationLog } from '../revocations/log.ts'
import { type LastRows, LastRowsCollector } from '../tables/last-rows.ts'
import { transactionStores } from '../tables/stores.ts'

export interface WriteSessionParts {
  readonly seal: AuditSeal
  readonly telling: RevocationTelling
  /** Returns a new UUID, the name of a chain of the audit log. */
  readonly newId: () => string
}

/** A writer with its own state. */
export class WriteSession {
  readonly writer: Writer
  /** Kysely in the writer's transaction. */
  readonly db: Kysely<Database>
  /** The stores in that transaction. They are created once and cache their compiled statements. */
  readonly stores: TransactionStores
  readonly chain: AuditChain
  readonly #revocations: RevocationLog
  /** The events of the last transaction that told what ended. */
  #told: SealedEvents | null = null
  /** The last writes of the running transaction. */
  readonly last = new LastRowsCollector()
  /** The first statement error in the running transaction, which must then not commit. */
  failure: unknown = null

  constructor(dialect: Pick<Dialect, 'kysely' | 'now'>, writer: Writer, { seal, telling, newId }: WriteSessionParts) {
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
    this.stores = transactionStores(this.db, this.last)
    this.chain = new AuditChain(this.db, { seal, newWriterId: newId, now: dialect.now })
    this.#revocations = new RevocationLog(this.db, dialect.now, telling)
  }

  /** Writes the last rows of the open transaction: facts that ended, and audit events. */
  async writeLast({ events, ended }: LastRows): Promise<SealedEvents> {
    const sealed = await this.chain.sealInside(events, ended.length > 0)
    for (const statement of sealed.statements) await this.writer.execute(statement)
    await this.tell(sealed, ended)
    return sealed
  }

  /** Writes the facts that ended. The events of the open transaction are already sealed. */
  async tell(sealed: SealedEvents, ended: LastRows['ended']): Promise<void> {
    if (ended.length === 0) return
    const { ordinal } = sealed.end
    if (ordinal === null) throw new Error('a writer that is not registered has told what ended')
    if (!(await this.#revocations.tell(ordinal, ended))) {
      this.chain.restart()
      throw new DatabaseError('conflict', `another writer has the number ${ordinal}; this one gets a new number`)
    }
    this.#told = sealed
  }

  /** Call this before the commit of the transaction with these events is sent. */
  committing(sealed: SealedEvents): void {
    if (sealed === this.#told) this.#revocations.committing()
  }
}
