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

/** Thrown by drivers' adapters. Never leaves stores/sql. */
export class DatabaseError extends Error {
  readonly kind: DatabaseErrorKind

  constructor(kind: DatabaseErrorKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'DatabaseError'
    this.kind = kind
  }
}

/**
 * `lost` because of the host, not of one connection: the host is a replica, or a member without the majority of its cluster.
 * All connections leave it, including those that read.
 */
export class UnfitHostError extends DatabaseError {
  constructor(message: string, cause?: unknown) {
    super('lost', message, cause)
  }
}

/** A statement that got no answer in time. `lost` if the server is not executing it, otherwise `unavailable`. */
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

/** Converts a `DatabaseError` to a `StoreError`. Other errors are returned unchanged. */
export function storeError(error: unknown): unknown {
  return error instanceof DatabaseError ? new StoreError(FAULTS[error.kind], error.message, error.cause) : error
}

/** Runs `work` and converts its errors with `storeError`. */
export async function withStoreErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storeError(error)
  }
}

/** `false`: a unique key is taken. Unique keys decide races for ids, names and codes. */
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

/** Whether a commit may have succeeded although it was not confirmed. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof DatabaseError && error.kind === 'outcome_unknown'
}

/** Reports the result of `work` to its observer. */
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

/** The same error with the place of its statement in front of the message. */
export function located(error: unknown, place: string): unknown {
  if (!(error instanceof DatabaseError)) return error
  return new DatabaseError(error.kind, `${place}: ${error.message}`, error.cause)
}
