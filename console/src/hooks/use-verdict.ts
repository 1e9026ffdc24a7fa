import type { Inputs } from 'preact/hooks'
import { useDebounced } from './use-debounced.ts'
import { type Query, useQuery } from './use-query.ts'

/**
 * Asks about what a user is writing, once it has stayed the same for a moment. Until that is answered the query is
 * loading: an answer about something else is not shown beside it.
 */
export function useVerdict<Draft, T>(
  draft: Draft,
  ask: (draft: Draft, signal: AbortSignal) => Promise<T>,
  inputs: Inputs,
): Query<T> {
  const settled = useDebounced(draft)
  const query = useQuery((signal) => ask(settled, signal), [settled, ...inputs])
  return settled === draft ? query : { ...query, value: null, refusal: null, isLoading: true }
}
