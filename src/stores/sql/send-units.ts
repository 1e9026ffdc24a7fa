import { accessTokenInserts, accessTokenRow } from './access-token-writes.ts'
import type { SendUnits } from './append-lane.ts'
import { confirmed } from './commit-outcome.ts'
import type { Statement } from './dialect.ts'
import type { Slots } from './slots.ts'
import type { WriterSlot } from './writer-slot.ts'

/** Turns the units of a batch into one transaction, its audit rows sealed in the order they are sent. */
export function sendThrough(slots: Slots<WriterSlot>, { db }: WriterSlot, jitter: () => number): SendUnits {
  const tokenInserts = accessTokenInserts(db)
  return (units, until) =>
    slots.use(null, async (slot) => {
      const { chain, writer } = slot
      const inserts = tokenInserts.of(units.flatMap((unit) => unit.tokens).map(accessTokenRow))
      const events = units.flatMap((unit) => unit.events)
      // Rows that no event goes with leave no trace to read back.
      if (events.length === 0) return await writer.batch(inserts)
      if (!chain.isNew) {
        const sealed = chain.seal(events)
        return await confirmed(slot, sealed, () => writer.batch([...inserts, ...sealed.statements]), until, jitter)
      }
      const sealed = await inTransaction(slot, inserts, () => chain.sealInside(events))
      await confirmed(slot, sealed, () => writer.commit(), until, jitter)
    })
}

/** Begins, and leaves open, a transaction with these rows and the first events of a chain, which ask the database. */
async function inTransaction<T extends { readonly statements: readonly Statement[] }>(
  { writer }: WriterSlot,
  inserts: readonly Statement[],
  seal: () => Promise<T>,
): Promise<T> {
  await writer.begin()
  try {
    for (const statement of inserts) await writer.execute(statement)
    const sealed = await seal()
    for (const statement of sealed.statements) await writer.execute(statement)
    return sealed
  } catch (error) {
    await writer.rollback()
    throw error
  }
}
