import type { AuditChain, Sealed, SealedEvents } from '../audit/chain.ts'
import { DatabaseError, isOutcomeUnknown } from '../core/database-error.ts'
import { orRollBack } from '../core/dialect.ts'
import { backOff } from '../core/retry.ts'
import type { WriteSession } from './write-session.ts'

/**
 * Commits, and finds out how that ended if nobody says. A transaction's events
 * move the head of the writer's chain in the same commit, so the head shows it; and
 * since it is read by a transaction that changes it first, a commit still under
 * way is waited for on one server, and on a cluster loses to this one.
 *
 * Asks until the database answers or `until` has passed. Throws `outcome_unknown`
 * then, and `lost` if nothing was written.
 */
export async function confirmed(
  session: WriteSession,
  sealed: SealedEvents,
  commit: () => Promise<void>,
  until: number,
  jitter: () => number,
): Promise<void> {
  try {
    await commit()
    session.chain.advance(sealed)
  } catch (error) {
    if (!isOutcomeUnknown(error)) throw error
    // What audits nothing may be done twice: the contract of `transaction` says so.
    const candidates = sealed.statements.length === 0 ? [] : [sealed]
    if ((await lastCommitted(session, candidates, until, jitter)) === sealed) return
    throw notWritten(error)
  }
}

export function notWritten(cause: unknown): DatabaseError {
  return new DatabaseError('lost', 'the connection to the database broke; nothing was written', cause)
}

/**
 * Which of some events, each of which follows those before it, were committed
 * last; `null`: none of them.
 *
 * @throws DatabaseError `outcome_unknown`, after which the chain goes on under another name.
 */
export async function lastCommitted(
  session: WriteSession,
  sent: readonly Sealed[],
  until: number,
  jitter: () => number,
): Promise<Sealed | null> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await readBack(session, sent)
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error
      if (Date.now() >= until) {
        session.chain.restart()
        throw new DatabaseError(
          'outcome_unknown',
          `a commit was not confirmed, nor could be read back: ${error.message}`,
          error,
        )
      }
      await backOff(attempts, until, jitter)
    }
  }
}

async function readBack(session: WriteSession, sent: readonly Sealed[]): Promise<Sealed | null> {
  const { writer, chain } = session
  // All are of one writer, so the head of one is that of all.
  const [first] = sent
  if (first === undefined) return null
  session.failure = null
  await writer.begin()
  return await orRollBack(writer, async () => {
    const stored = await chain.takeStored(first, Date.now())
    await writer.commit()
    return advanceTo(chain, sent, stored)
  })
}

function advanceTo(
  chain: AuditChain,
  sent: readonly Sealed[],
  stored: Awaited<ReturnType<AuditChain['takeStored']>>,
): Sealed | null {
  if (stored === null) {
    // The place of its first head is taken now.
    chain.restart()
    return null
  }
  const committed = sent.find(({ end }) => stored.hash.equals(end.hash)) ?? null
  if (committed !== null) chain.advance(committed)
  chain.noteTaken(stored.changedBy)
  return committed
}
