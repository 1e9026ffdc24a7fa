import type { Kysely } from 'kysely'
import type { AuditSeal } from '../contract.ts'
import { AuditChain } from './audit-chain.ts'
import type { Dialect, Execute, Writer } from './dialect.ts'
import { kyselyOver } from './kysely.ts'
import type { Database } from './schema.ts'

/** A writer, with what belongs to it alone. */
export interface WriterSlot {
  readonly writer: Writer
  /** Kysely inside the writer's transaction. */
  readonly db: Kysely<Database>
  readonly chain: AuditChain
  /** The first failure of a statement in the transaction that runs: it must not commit. */
  failure: unknown
}

export function writerSlot(
  dialect: Dialect,
  writer: Writer,
  { seal, newId }: { readonly seal: AuditSeal; readonly newId: () => string },
): WriterSlot {
  const execute: Execute = async (statement) => {
    try {
      return await writer.execute(statement)
    } catch (error) {
      slot.failure ??= error
      throw error
    }
  }
  const db = kyselyOver(dialect.kysely, execute)
  const slot: WriterSlot = { writer, db, chain: new AuditChain(db, seal, newId), failure: null }
  return slot
}
