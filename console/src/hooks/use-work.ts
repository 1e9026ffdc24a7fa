import { useEffect, useRef, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../api/refusal.ts'

export interface Work {
  readonly isBusy: boolean
  /** Why the last work was not done. */
  readonly refusal: Refusal | null
  /** Does something and passes the answer on. */
  readonly run: <T>(work: (signal: AbortSignal) => Promise<T>, onDone: (answer: T) => void) => Promise<void>
}

/**
 * What a user starts on a page, one thing at a time. If the user leaves the page meanwhile, `signal` is aborted and the
 * answer is dropped. A call that only reads takes the signal; a call that changes something is not given up.
 */
export function useWork(): Work {
  const [isBusy, setBusy] = useState(false)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const left = useRef(new AbortController())
  useEffect(() => {
    const controller = new AbortController()
    left.current = controller
    return () => controller.abort()
  }, [])
  const run: Work['run'] = async (work, onDone) => {
    const { signal } = left.current
    setBusy(true)
    setRefusal(null)
    const conclude = await Promise.resolve(signal)
      .then(work)
      .then(
        (answer) => () => onDone(answer),
        (error: unknown) => () => setRefusal(refusalOf(error)),
      )
    if (signal.aborted) return
    conclude()
    setBusy(false)
  }
  return { isBusy, refusal, run }
}
