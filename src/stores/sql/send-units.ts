import { accessTokenInserts, accessTokenRow } from './access-token-writes.ts'
import type { AppendedRows, SendUnits } from './append-lane.ts'
import type { SealedEvents } from './audit-chain.ts'
import { confirmed } from './commit-outcome.ts'
import type { DraftRunner, Statement } from './dialect.ts'
import type { Slots } from './slots.ts'
import type { WriterSlot } from './writer-slot.ts'

const NONE: ReadonlySet<AppendedRows> = new Set()

/** Turns the units of a batch into one transaction, its audit rows sealed in the order they are sent. */
export function sendThrough(slots: Slots<WriterSlot>, { db }: WriterSlot, jitter: () => number): SendUnits {
  const tokenInserts = accessTokenInserts(db)
  const insertsOf = (units: readonly AppendedRows[]) =>
    tokenInserts.of(units.flatMap(({ tokens }) => tokens).map(accessTokenRow))

  async function appendAll(slot: WriterSlot, units: readonly AppendedRows[], until: number): Promise<void> {
    const { chain, writer } = slot
    const inserts = insertsOf(units)
    const events = units.flatMap((unit) => unit.events)
    // Rows that no event goes with leave no trace to read back.
    if (events.length === 0) return await writer.batch(inserts)
    if (!chain.isNew) {
      const sealed = chain.seal(events)
      return await confirmed(slot, sealed, () => writer.batch([...inserts, ...sealed.statements]), until, jitter)
    }
    await writer.begin()
    const sealed = await sealedAfter(slot, inserts, units)
    await confirmed(slot, sealed, () => writer.commit(), until, jitter)
  }

  /** The drafts first: what they decide says which events there are. */
  async function runDrafts(
    drafts: DraftRunner,
    slot: WriterSlot,
    units: readonly AppendedRows[],
    until: number,
  ): Promise<ReadonlySet<AppendedRows>> {
    const { chain, writer } = slot
    const verdicts = await drafts.begin(units.map(({ draft }) => draft))
    const refuted = new Set(units.filter((_, at) => verdicts[at] !== true))
    const standing = units.filter((unit) => !refuted.has(unit))
    const inserts = insertsOf(standing)
    if (chain.isNew) {
      const sealed = await sealedAfter(slot, inserts, standing)
      await confirmed(slot, sealed, () => writer.commit(), until, jitter)
    } else {
      const sealed = chain.seal(standing.flatMap(({ events }) => events))
      await confirmed(slot, sealed, () => drafts.commit([...inserts, ...sealed.statements]), until, jitter)
    }
    return refuted
  }

  return (units, until) =>
    slots.use(null, async (slot) => {
      const { drafts } = slot.writer
      if (drafts !== null && units.some(({ draft }) => draft.length > 0)) {
        return await runDrafts(drafts, slot, units, until)
      }
      await appendAll(slot, units, until)
      return NONE
    })
}

/** Writes rows and the first events of a chain, which ask the database, in the open transaction. */
async function sealedAfter(
  { writer, chain }: WriterSlot,
  inserts: readonly Statement[],
  units: readonly AppendedRows[],
): Promise<SealedEvents> {
  try {
    for (const statement of inserts) await writer.execute(statement)
    const sealed = await chain.sealInside(units.flatMap(({ events }) => events))
    for (const statement of sealed.statements) await writer.execute(statement)
    return sealed
  } catch (error) {
    await writer.rollback()
    throw error
  }
}
