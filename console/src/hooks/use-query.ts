import { type Inputs, useCallback, useEffect, useMemo, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../api/refusal.ts'

export interface Query<T> {
  /** The last answer to this question; `null`: there is none yet. */
  readonly value: T | null
  /** Why the question was not answered the last time. */
  readonly refusal: Refusal | null
  readonly isLoading: boolean
  readonly reload: () => void
}

const UNANSWERED = Object.freeze({ value: null, refusal: null, isLoading: true })

/**
 * Asks when the page appears and whenever what the question depends on changes. What was asked before is given up, and
 * what was answered before is not shown for the new question.
 */
export function useQuery<T>(ask: (signal: AbortSignal) => Promise<T>, inputs: Inputs): Query<T> {
  // Identifies the question: the same object as long as the inputs are the same.
  const question = useMemo(() => ({}), inputs)
  const [known, setKnown] = useState<Omit<Query<T>, 'reload'> & { readonly question: object }>({
    question,
    ...UNANSWERED,
  })
  const [times, setTimes] = useState(0)
  useEffect(() => {
    const gone = new AbortController()
    const learn = (answer: Partial<Query<T>>) =>
      setKnown((before) => ({ ...(before.question === question ? before : UNANSWERED), ...answer, question }))
    learn({ refusal: null, isLoading: true })
    ask(gone.signal).then(
      (value) => gone.signal.aborted || learn({ value, isLoading: false }),
      (error: unknown) => gone.signal.aborted || learn({ refusal: refusalOf(error), isLoading: false }),
    )
    return () => gone.abort()
  }, [question, times])
  const reload = useCallback(() => setTimes((before) => before + 1), [])
  const { value, refusal, isLoading } = known.question === question ? known : UNANSWERED
  return { value, refusal, isLoading, reload }
}
