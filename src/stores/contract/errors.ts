/**
 * What can go wrong with a database, as far as callers must tell it apart.
 *
 * - `contended`: lost to others until the deadline or the retry cap; nothing was written.
 * - `unavailable`: busy, gone, read-only, full, or of another version's schema; nothing was written.
 * - `outcome_unknown`: the connection broke while committing, and reading back did not settle it.
 * - `broken`: corrupt or not what the schema says; an operator must look.
 */
export const STORE_FAULTS = Object.freeze(['contended', 'unavailable', 'outcome_unknown', 'broken'] as const)
export type StoreFault = (typeof STORE_FAULTS)[number]

/** Thrown by every backend operation that fails. */
export class StoreError extends Error {
  readonly fault: StoreFault

  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreError'
    this.fault = fault
  }
}
