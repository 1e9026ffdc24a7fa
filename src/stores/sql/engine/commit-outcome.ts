import type { AuditChain, Sealed, SealedEvents } from '../audit/chain.ts'
import { DatabaseError, isOutcomeUnknown } from '../core/database-error.ts'
import { orRollBack } from '../core/dialect.ts'
import { backOff } from '../core/retry.ts'
import type { WriteSession } from './write-session.ts'

/**
 * Commits, and determines the outcome if the database does not confirm it. A transaction's events move the head of the
 * writer's chain in the same commit, so the head shows the outcome. The head is read in a transaction that first changes it.
 * On one server this waits for a commit in progress. On a cluster, that commit then loses. Retries until the database answers
 * or `until` has passed. Throws `outcome_unknown` after that, and `lost` if nothing was written.
 */
export async function confirmed(
  session: WriteSession,
  sealed: SealedEvents,
  commit: () => Promise<void>,
  until: number,
  jitter: () => number,
): Promise<void> {
  session.committing(sealed)
  try {
    await commit()
    session.chain.advance(sealed)
  } catch (error) {
    if (!isOutcomeUnknown(error)) throw error
    // A transaction without audit events may run twice. The contract of `transaction` allows this.
    const candidates = sealed.statements.length === 0 ? [] : [sealed]
    if ((await lastCommitted(session, candidates, until, jitter)) === sealed) return
    throw notWritten(error)
  }
}

export function notWritten(cause: unknown): DatabaseError {
  return new DatabaseError('lost', 'the connection to the database was lost; nothing was written', cause)
}

/**
 * The last committed one of some events, each of which follows the previous ones. `null`: none was committed.
 *
 * @throws DatabaseError `outcome_unknown`. The chain then continues under another name.
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
          `a commit was not confirmed, and its outcome could not be read: ${error.message}`,
          error,
        )
      }
      await backOff(attempts, until, jitter)
    }
  }
}

async function readBack(session: WriteSession, sent: readonly Sealed[]): Promise<Sealed | null> {
  const { writer, chain } = session
  // All are of one writer, so they have the same head.
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
    // The first place of the chain is now taken.
    chain.restart()
    return null
  }
  const committed = sent.find(({ end }) => stored.hash.equals(end.hash)) ?? null
  if (committed !== null) chain.advance(committed)
  chain.noteTaken(stored.changedBy)
  return committed
}
