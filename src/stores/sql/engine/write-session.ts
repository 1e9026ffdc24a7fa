import type { Kysely } from 'kysely'
import type { AuditEvent } from '../../../domain/audit-event.ts'
import type { AuditSeal } from '../../contract/audit-log.ts'
import type { TransactionStores } from '../../contract/backend.ts'
import { AuditChain } from '../audit/chain.ts'
import type { Dialect, Execute, Writer } from '../core/dialect.ts'
import { kyselyOver } from '../core/kysely.ts'
import type { Database } from '../core/schema.ts'
import { transactionStores } from '../tables/stores.ts'

/** A writer, with what belongs to it alone. */
export interface WriteSession {
  readonly writer: Writer
  /** Kysely inside the writer's transaction. */
  readonly db: Kysely<Database>
  /** The stores inside it; made once, so that they keep what they compile. */
  readonly stores: TransactionStores
  readonly chain: AuditChain
  /** What the transaction that runs wants audited: its last rows. */
  events: AuditEvent[]
  /** The first failure of a statement in the transaction that runs: it must not commit. */
  failure: unknown
}

export function writeSession(
  dialect: Dialect,
  writer: Writer,
  { seal, newId }: { readonly seal: AuditSeal; readonly newId: () => string },
): WriteSession {
  const execute: Execute = async (statement) => {
    try {
      return await writer.execute(statement)
    } catch (error) {
      session.failure ??= error
      throw error
    }
  }
  const db = kyselyOver(dialect.kysely, execute)
  const stores = transactionStores(db, (event) => void session.events.push(event))
  const session: WriteSession = {
    writer,
    db,
    stores,
    chain: new AuditChain(db, seal, newId),
    events: [],
    failure: null,
  }
  return session
}
