import type { DatabaseError } from '../core/database-error.ts'
import { orRollBack, type RecordedStatement } from '../core/dialect.ts'
import type { Written } from './driver.ts'

/** So often a batch is sent again without those that failed; after that, those behind them are rejected, too. */
const MAX_ROUNDS = 3

type RecordedTransaction = readonly RecordedStatement[]

/** A writer that runs a list of statements in one round trip, in the transaction that it has begun. */
interface BatchWriter {
  begin(): Promise<void>
  rollback(): Promise<void>
  writeAll(statements: readonly RecordedStatement[]): Promise<Written>
}

/**
 * Runs all recorded transactions in one round trip. The server does not look at
 * what each of them wrote, so where one did not go as recorded the transaction is
 * rolled back, and begun again without it. Tells of each whether it stands.
 */
export async function beginRecorded(
  writer: BatchWriter,
  recorded: readonly RecordedTransaction[],
): Promise<readonly boolean[]> {
  const accepted = new Set(recorded)
  for (let round = 1; ; round += 1) {
    await writer.begin()
    const rejected = await orRollBack(writer, () => rejectedOf(writer, [...accepted], round < MAX_ROUNDS))
    if (rejected.length === 0) return recorded.map((one) => accepted.has(one))
    await writer.rollback()
    for (const one of rejected) accepted.delete(one)
  }
}

/**
 * Runs recorded transactions, and returns those that did not go as recorded; throws
 * what is the database's fault. `keepUnrun`: those behind one that failed, which were
 * not run, are not among the rejected.
 */
async function rejectedOf(
  writer: BatchWriter,
  recorded: readonly RecordedTransaction[],
  keepUnrun: boolean,
): Promise<readonly RecordedTransaction[]> {
  const statements = recorded.flat()
  if (statements.length === 0) return []
  const { affected, failure } = await writer.writeAll(statements)
  if (failure !== null && !isOfOneTransaction(failure)) throw failure
  let at = -1
  const wentAsRecorded = ({ affects }: RecordedStatement) => {
    at += 1
    return at > affected.length ? keepUnrun : affected[at] === affects
  }
  return recorded.filter((one) => one.filter(wentAsRecorded).length < one.length)
}

/** Whether one transaction is at fault, or waited in vain for a row, rather than the database: alone it holds nobody up. */
function isOfOneTransaction({ kind }: DatabaseError): boolean {
  return kind === 'duplicate' || kind === 'refused' || kind === 'conflict'
}
