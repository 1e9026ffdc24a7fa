import type { AuditEvent } from '../../../domain/audit-event.ts'
import type { SealedEvents } from '../audit/chain.ts'
import type { SpeculativeRunner, Statement } from '../core/dialect.ts'
import { orRolledBack } from '../core/or-rolled-back.ts'
import { accessTokenInserts, accessTokenRow } from '../tables/access-tokens.ts'
import { confirmed } from './commit-outcome.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { CommitBatch, EntryRows } from './group-commit.ts'
import type { WriteSession } from './write-session.ts'

const NONE: ReadonlySet<EntryRows> = new Set()

/** Turns the entries of a batch into one transaction, its audit rows sealed in the order they are sent. */
export function commitThrough(
  slots: ConnectionPool<WriteSession>,
  { db }: WriteSession,
  jitter: () => number,
): CommitBatch {
  const tokenInserts = accessTokenInserts(db)
  const insertsOf = (entries: readonly EntryRows[]) =>
    tokenInserts.of(entries.flatMap(({ tokens }) => tokens).map(accessTokenRow))

  async function appendAll(session: WriteSession, entries: readonly EntryRows[], until: number): Promise<void> {
    const { chain, writer } = session
    const inserts = insertsOf(entries)
    const events = entries.flatMap((entry) => entry.events)
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

  /** The recorded transactions first: what they decide says which events there are. */
  async function runRecorded(
    speculative: SpeculativeRunner,
    session: WriteSession,
    entries: readonly EntryRows[],
    until: number,
  ): Promise<ReadonlySet<EntryRows>> {
    const { chain, writer } = session
    const verdicts = await speculative.begin(entries.map(({ recorded }) => recorded))
    const rejected = new Set(entries.filter((_, at) => verdicts[at] !== true))
    const standing = entries.filter((entry) => !rejected.has(entry))
    // The transaction is open: what cannot be sealed leaves it rolled back.
    const prepared = await orRolledBack(writer, async () => {
      const inserts = insertsOf(standing)
      const events = standing.flatMap((entry) => entry.events)
      if (chain.isNew) return { sealed: await sealedAfter(session, inserts, events), last: [] }
      const sealed = chain.seal(events)
      return { sealed, last: [...inserts, ...sealed.statements] }
    })
    await confirmed(session, prepared.sealed, () => speculative.commit(prepared.last), until, jitter)
    return rejected
  }

  return (entries, until) =>
    slots.use(null, async (session) => {
      const { speculative } = session.writer
      if (speculative !== null && entries.some(({ recorded }) => recorded.length > 0)) {
        return await runRecorded(speculative, session, entries, until)
      }
      await appendAll(session, entries, until)
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
