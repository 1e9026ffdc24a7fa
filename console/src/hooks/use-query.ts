import { type Inputs, useCallback, useEffect, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../api/refusal.ts'

export interface Query<T> {
  /** The last answer; `null`: there is none yet. */
  readonly value: T | null
  /** Why the last question was not answered. */
  readonly refusal: Refusal | null
  readonly isLoading: boolean
  readonly reload: () => void
}

/** Asks when the page appears and whenever what the question depends on changes. What was asked before is given up. */
export function useQuery<T>(ask: (signal: AbortSignal) => Promise<T>, inputs: Inputs): Query<T> {
  const [state, setState] = useState<Omit<Query<T>, 'reload'>>({ value: null, refusal: null, isLoading: true })
  const [times, setTimes] = useState(0)
  useEffect(() => {
    const gone = new AbortController()
    setState(({ value }) => ({ value, refusal: null, isLoading: true }))
    ask(gone.signal).then(
      (value) => !gone.signal.aborted && setState({ value, refusal: null, isLoading: false }),
      (error: unknown) =>
        !gone.signal.aborted && setState(({ value }) => ({ value, refusal: refusalOf(error), isLoading: false })),
    )
    return () => gone.abort()
  }, [...inputs, times])
  const reload = useCallback(() => setTimes((before) => before + 1), [])
  return { ...state, reload }
}
