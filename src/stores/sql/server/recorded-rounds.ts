import type { DatabaseError } from '../core/database-error.ts'
import { orRollBack, type RecordedStatement } from '../core/dialect.ts'
import type { CombinedStatements } from './combined-statements.ts'
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
 *
 * `combined`: the same transactions in fewer statements, which run first. If one of them did not run as recorded, this does
 * not show which. They then run statement by statement.
 */
export async function beginRecorded(
  writer: BatchWriter,
  recorded: readonly RecordedTransaction[],
  combined: CombinedStatements | null,
): Promise<readonly boolean[]> {
  const accepted = new Set(recorded)
  const fewer = combined?.of(recorded) ?? []
  const isCombined = fewer.length > 0 && fewer.length < recorded.flat().length
  if (isCombined) {
    await writer.begin()
    if (await orRollBack(writer, () => goAsRecorded(writer, fewer))) return recorded.map(() => true)
    await writer.rollback()
  }
  for (let round = isCombined ? 2 : 1; ; round += 1) {
    await writer.begin()
    const rejected = await orRollBack(writer, () => rejectedOf(writer, [...accepted], round < MAX_ROUNDS))
    if (rejected.length === 0) return recorded.map((one) => accepted.has(one))
    await writer.rollback()
    for (const one of rejected) accepted.delete(one)
  }
}

/** Whether each statement wrote as many rows as it must; throws what is the database's fault. */
async function goAsRecorded(writer: BatchWriter, statements: readonly RecordedStatement[]): Promise<boolean> {
  const { affected, failure } = await writer.writeAll(statements)
  if (failure !== null && !isOfOneTransaction(failure)) throw failure
  return statements.every(({ affects }, at) => affected[at] === affects)
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
