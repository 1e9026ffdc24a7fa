import { availableParallelism } from 'node:os'
import type { Complaints, Read } from './connections.ts'
import type { DatabaseTarget } from './database-url.ts'
import { SCHEMAS } from './schemas.ts'
import { VARIABLES } from './variables.ts'

/** How many processes serve together. A database in memory is its process's own: `auto` leaves it alone. */
export function readWorkers({ embedded, file }: DatabaseTarget, read: Read, complain: Complaints['complain']): number {
  const wanted = read('QSCOPE_WORKERS', SCHEMAS.workers, VARIABLES.QSCOPE_WORKERS.fallback)
  const inMemory = embedded && file === null
  if (wanted === 'auto') return inMemory ? 1 : Math.min(64, availableParallelism())
  if (inMemory && wanted > 1) complain('QSCOPE_WORKERS', 'should be 1: no other process sees a database in memory')
  return wanted
}
