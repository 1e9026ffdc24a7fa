import type { Backend } from '../../src/stores/contract/backend.ts'
import { context, seal } from './given.ts'

const MANY = 100_000

/** The number of events in the chains of a log; throws unless each row follows the previous one, up to the head. */
export async function eventsInIntactChains({ reads }: Pick<Backend, 'reads'>): Promise<number> {
  let events = 0
  for (const head of await reads.auditChains.heads(context(), 0, MANY)) {
    let previous = Buffer.alloc(32)
    let sequence = 0
    for (const { hash, ...record } of await reads.auditChains.records(context(), head.writerId, 0, MANY)) {
      sequence += 1
      const follows = record.sequence === sequence && record.previousHash.equals(previous)
      if (!follows || !seal.hash(record).equals(hash))
        throw new Error(`event ${sequence} of ${head.writerId} is broken`)
      previous = Buffer.from(hash)
    }
    if (head.sequence !== sequence || !head.hash.equals(previous)) throw new Error(`${head.writerId} has another head`)
    events += sequence
  }
  return events
}
