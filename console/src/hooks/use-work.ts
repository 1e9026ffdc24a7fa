import { useEffect, useRef, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../api/refusal.ts'

export interface Work {
  readonly isBusy: boolean
  /** Why the last work was not done. */
  readonly refusal: Refusal | null
  /** Does something, and hands the answer on. */
  readonly run: <T>(work: (signal: AbortSignal) => Promise<T>, onDone: (answer: T) => void) => Promise<void>
}

/**
 * What somebody starts on a page, one at a time. Once the page has been left, nobody hears of the answer: it neither
 * shows nor opens anything. `signal` is aborted then; a call that only asks gives up with it, and a call that changes
 * something goes on without it.
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
    try {
      const answer = await work(signal)
      if (!signal.aborted) onDone(answer)
    } catch (error) {
      if (!signal.aborted) setRefusal(refusalOf(error))
    }
    if (!signal.aborted) setBusy(false)
  }
  return { isBusy, refusal, run }
}
