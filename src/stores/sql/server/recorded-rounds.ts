import type { DatabaseError } from '../core/database-error.ts'
import { orRollBack, type RecordedStatement } from '../core/dialect.ts'
import type { Written } from './driver.ts'

/** The most retries of a batch without the failed transactions. After that, the ones behind a failed one are rejected as well. */
const MAX_ROUNDS = 3

type RecordedTransaction = readonly RecordedStatement[]

/** A writer that runs a list of statements in one round trip in its open transaction. */
interface BatchWriter {
  begin(): Promise<void>
  rollback(): Promise<void>
  writeAll(statements: readonly RecordedStatement[]): Promise<Written>
}

/**
 * Runs all recorded transactions in one round trip. The server does not check their row counts. If one did not run as
 * recorded, the transaction is rolled back and begun again without it. Tells for each whether it ran as recorded.
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
 * Runs recorded transactions and returns those that did not run as recorded. Throws errors of the database itself. With
 * `keepUnrun`, transactions that did not run because an earlier one failed are not rejected.
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

/** Whether one transaction caused the error or timed out on a row lock. Run alone, it does not delay others. */
function isOfOneTransaction({ kind }: DatabaseError): boolean {
  return kind === 'duplicate' || kind === 'refused' || kind === 'conflict'
}
