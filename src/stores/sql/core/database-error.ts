import { StoreError, type StoreFault } from '../../contract/errors.ts'
import type { Failure, Over } from '../../contract/store-observer.ts'

/**
 * What went wrong in a database, in the same words for all dialects.
 *
 * - `duplicate`: a unique constraint refused a row.
 * - `refused`: another constraint, a trigger or a type refused it.
 * - `conflict`: lost to another transaction (deadlock, lock wait); rolled back, worth another try.
 * - `busy`: another process holds the write lock; nothing was written, worth another try.
 * - `lost`: the connection broke before the commit was sent; nothing was written.
 * - the rest as in `StoreFault`.
 */
export type DatabaseErrorKind =
  | 'duplicate'
  | 'refused'
  | 'conflict'
  | 'busy'
  | 'lost'
  | 'unavailable'
  | 'outcome_unknown'
  | 'broken'

/** Thrown at the edge to a driver; never leaves stores/sql. */
export class DatabaseError extends Error {
  readonly kind: DatabaseErrorKind

  constructor(kind: DatabaseErrorKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'DatabaseError'
    this.kind = kind
  }
}

/**
 * `lost` for what the host has become, not for one connection's sake: a replica, or a
 * member that its cluster goes on without. All connections leave it, those that read too.
 */
export class UnfitHostError extends DatabaseError {
  constructor(message: string, cause?: unknown) {
    super('lost', message, cause)
  }
}

/** What was sent was not answered in time; `lost` where the server is not at work on it, else `unavailable`. */
export class UnansweredError extends DatabaseError {
  constructor(kind: 'lost' | 'unavailable', message: string) {
    super(kind, message)
  }
}

const FAULTS = Object.freeze({
  duplicate: 'broken',
  refused: 'broken',
  conflict: 'contended',
  busy: 'unavailable',
  lost: 'unavailable',
  unavailable: 'unavailable',
  outcome_unknown: 'outcome_unknown',
  broken: 'broken',
} as const satisfies Record<DatabaseErrorKind, StoreFault>)

/** What leaves stores/sql: a `StoreError` for a `DatabaseError`, anything else as it is. */
export function storeError(error: unknown): unknown {
  return error instanceof DatabaseError ? new StoreError(FAULTS[error.kind], error.message, error.cause) : error
}

/** Runs work whose errors leave stores/sql. */
export async function withStoreErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storeError(error)
  }
}

/** The unique keys decide who gets an id, a name or a code. */
export async function falseIfTaken(write: () => Promise<void>): Promise<boolean> {
  try {
    await write()
    return true
  } catch (error) {
    if (error instanceof DatabaseError && error.kind === 'duplicate') return false
    throw error
  }
}

export function isConflict(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.kind === 'conflict'
}

/** Whether a commit may stand although it was not confirmed. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof DatabaseError && error.kind === 'outcome_unknown'
}

/** Tells whoever observes the work how it ends. */
export async function observed<T>(over: Over | undefined, work: () => Promise<T>): Promise<T> {
  if (over === undefined) return await work()
  let failure: Failure | null = null
  try {
    return await work()
  } catch (error) {
    failure = failureOf(error)
    throw error
  } finally {
    over(failure)
  }
}

export function failureOf(error: unknown): Failure {
  const known = storeError(error)
  return known instanceof StoreError ? known.fault : 'other'
}

/** The same error, which says first of which statement it is. */
export function located(error: unknown, place: string): unknown {
  if (!(error instanceof DatabaseError)) return error
  return new DatabaseError(error.kind, `${place}: ${error.message}`, error.cause)
}
