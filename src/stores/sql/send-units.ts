import type { AuditEvent } from '../../domain/audit-event.ts'
import { accessTokenInserts, accessTokenRow } from './access-token-writes.ts'
import type { AppendedRows, SendUnits } from './append-lane.ts'
import type { SealedEvents } from './audit-chain.ts'
import { confirmed } from './commit-outcome.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { DraftRunner, Statement } from './dialect.ts'
import { orRolledBack } from './or-rolled-back.ts'
import type { WriteSession } from './write-session.ts'

const NONE: ReadonlySet<AppendedRows> = new Set()

/** Turns the units of a batch into one transaction, its audit rows sealed in the order they are sent. */
export function sendThrough(
  slots: ConnectionPool<WriteSession>,
  { db }: WriteSession,
  jitter: () => number,
): SendUnits {
  const tokenInserts = accessTokenInserts(db)
  const insertsOf = (units: readonly AppendedRows[]) =>
    tokenInserts.of(units.flatMap(({ tokens }) => tokens).map(accessTokenRow))

  async function appendAll(session: WriteSession, units: readonly AppendedRows[], until: number): Promise<void> {
    const { chain, writer } = session
    const inserts = insertsOf(units)
    const events = units.flatMap((unit) => unit.events)
    // Rows that no event goes with leave no trace to read back.
    if (events.length === 0) return await writer.batch(inserts)
    if (!chain.isNew) {
      const sealed = chain.seal(events)
      return await confirmed(session, sealed, () => writer.batch([...inserts, ...sealed.statements]), until, jitter)
    }
    await writer.begin()
    const sealed = await orRolledBack(writer, () => sealedAfter(session, inserts, events))
    await confirmed(session, sealed, () => writer.commit(), until, jitter)
  }

  /** The drafts first: what they decide says which events there are. */
  async function runDrafts(
    drafts: DraftRunner,
    session: WriteSession,
    units: readonly AppendedRows[],
    until: number,
  ): Promise<ReadonlySet<AppendedRows>> {
    const { chain, writer } = session
    const verdicts = await drafts.begin(units.map(({ draft }) => draft))
    const refuted = new Set(units.filter((_, at) => verdicts[at] !== true))
    const standing = units.filter((unit) => !refuted.has(unit))
    // The transaction is open: what cannot be sealed leaves it rolled back.
    const prepared = await orRolledBack(writer, async () => {
      const inserts = insertsOf(standing)
      const events = standing.flatMap((unit) => unit.events)
      if (chain.isNew) return { sealed: await sealedAfter(session, inserts, events), last: [] }
      const sealed = chain.seal(events)
      return { sealed, last: [...inserts, ...sealed.statements] }
    })
    await confirmed(session, prepared.sealed, () => drafts.commit(prepared.last), until, jitter)
    return refuted
  }

  return (units, until) =>
    slots.use(null, async (session) => {
      const { drafts } = session.writer
      if (drafts !== null && units.some(({ draft }) => draft.length > 0)) {
        return await runDrafts(drafts, session, units, until)
      }
      await appendAll(session, units, until)
      return NONE
    })
}

/** Writes rows and the first events of a chain, which ask the database, in the open transaction. */
async function sealedAfter(
  { writer, chain }: WriteSession,
  inserts: readonly Statement[],
  events: readonly AuditEvent[],
): Promise<SealedEvents> {
  for (const statement of inserts) await writer.execute(statement)
  const sealed = await chain.sealInside(events)
  for (const statement of sealed.statements) await writer.execute(statement)
  return sealed
}
