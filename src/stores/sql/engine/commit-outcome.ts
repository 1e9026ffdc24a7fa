import type { AuditChain, SealedEvents } from '../audit/chain.ts'
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
    if ((await outcomeOf(session, sealed, until, jitter)) === 'committed') return
    throw new DatabaseError('lost', 'the connection to the database broke; nothing was written', error)
  }
}

/** @throws DatabaseError `outcome_unknown`, after which the chain goes on under another name. */
async function outcomeOf(session: WriteSession, sealed: SealedEvents, until: number, jitter: () => number) {
  // What audits nothing may be done twice: the contract of `transaction` says so.
  if (sealed.statements.length === 0) return 'rolled_back'
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await readBack(session, sealed)
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

async function readBack(session: WriteSession, sealed: SealedEvents): Promise<'committed' | 'rolled_back'> {
  const { writer, chain } = session
  session.failure = null
  await writer.begin()
  return await orRollBack(writer, async () => {
    const stored = await chain.takeStored(sealed, Date.now())
    await writer.commit()
    return advanceTo(chain, sealed, stored)
  })
}

function advanceTo(chain: AuditChain, sealed: SealedEvents, stored: Buffer | null): 'committed' | 'rolled_back' {
  if (stored === null) {
    // The place of its first head is taken now.
    chain.restart()
    return 'rolled_back'
  }
  if (!stored.equals(sealed.end.hash)) return 'rolled_back'
  chain.advance(sealed)
  return 'committed'
}
