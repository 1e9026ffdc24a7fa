import { StoreError } from '../../contract/errors.ts'
import type { Failure, Over } from '../../store-observer.ts'
import { storeError } from './database-error.ts'

/** Lets whoever watches know how the work ends. */
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
